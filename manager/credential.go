package manager

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// A Credential is what the manager keeps fresh under one name: one client, one
// grant, one scope set. It is the callers' side of the mailbox: all its methods
// may be called from any goroutine, and none of them touches the state.
type Credential struct {
	published atomic.Pointer[Token] // written by the loop only; nil: ask
	round     atomic.Pointer[round] // where callers without a usable token wait
	reported  atomic.Uint32         // the last Replayed that was passed on
	number    int32                 // in the registry; loop only

	refresher Refresher // written once, before any caller sees it

	machine machine // loop only, but for name and set, which are written once
}

// A round is a question that many callers wait for together, and then its
// answer. A storm of ten thousand is one message and one closed channel.
type round struct {
	ticket ticket
	donec  chan struct{} // closed when token and err are set
	token  *Token
	err    error
}

func (c *Credential) actor() *actor { return c.machine.set.actor }

// Name is the name under which the credential is managed and stored.
func (c *Credential) Name() string { return c.machine.name }

// Format prints the name for every verb; the state belongs to the actor (see Status).
func (c *Credential) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "credential(%q)", c.Name()) }

// Token returns a usable token: at once, by one atomic load, if there is one,
// and otherwise after the refresh that all callers share. ctx bounds this
// caller's wait, not the refresh.
//
// Errors: ctx.Err(); *RefreshError, with ErrLoginRequired in its tree where
// only a login helps; those of the Store; ErrClosed, ErrReleased.
func (c *Credential) Token(ctx context.Context) (t *Token, err error) {
	// Written so that the compiler can inline it, which a plain "return c.first(ctx)"
	// prevents: TestTokenIsInlined.
	if t = c.published.Load(); t != nil {
		return
	}
	t, err = c.first(ctx)
	return
}

//go:noinline
func (c *Credential) first(ctx context.Context) (*Token, error) { return c.wait(ctx, nil) }

// Renew returns a usable token that is not rejected, the one to which a
// resource server answered 401. If there is a newer one already, that is the
// answer and nothing is refreshed; otherwise all who were rejected share one
// refresh. A nil rejected is Token. ctx bounds this caller's wait only.
//
// Errors are those of Token, and ErrStillRejected when new tokens were rejected
// like the old one, so that it is not the token's fault.
func (c *Credential) Renew(ctx context.Context, rejected *Token) (*Token, error) {
	return c.wait(ctx, rejected)
}

func (c *Credential) wait(ctx context.Context, rejected *Token) (*Token, error) {
	if t := c.usable(rejected); t != nil {
		return t, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if c.Refreshing(ctx) {
		return nil, errOwnRefresh
	}
	patience := c.machine.set.policy.Patience
	patient := patience != 0
	var patiencec <-chan time.Time
	if patience > 0 {
		timer := c.actor().clock.Timer(patience)
		defer timer.Stop()
		patiencec = timer.C
	}
	for {
		r := newRound()
		if patient == (patience != 0) {
			r = c.join(rejected, patient)
		} else {
			c.ask(r, func(n ticket) message { return ask{n, rejected, false} }) // the others are patient still
		}
		select {
		case <-r.donec:
		case <-patiencec:
			patient, patiencec = false, nil
			continue
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-c.actor().donec:
			return nil, ErrClosed
		}
		if r.token != nil && !r.token.same(rejected) {
			return r.token, nil
		}
		if t := c.usable(rejected); t != nil {
			return t, nil
		}
		if r.err != nil {
			return nil, r.err
		}
	}
}

// usable gives the published token unless it is the rejected one.
func (c *Credential) usable(rejected *Token) *Token {
	t := c.published.Load()
	if t == nil || rejected != nil && t.same(rejected) {
		return nil
	}
	return t
}

// join gives a round to wait for. The first caller makes it and tells the actor;
// not even the end of its context takes it from the others.
func (c *Credential) join(rejected *Token, patient bool) *round {
	r := newRound()
	for {
		if open := c.round.Load(); open != nil {
			return open
		}
		if c.round.CompareAndSwap(nil, r) {
			c.ask(r, func(n ticket) message { return ask{n, rejected, patient} })
			return r
		}
	}
}

// ask sends the message of a new ticket, which r waits for.
func (c *Credential) ask(r *round, of func(ticket) message) {
	r.ticket = c.actor().newTicket()
	c.actor().post(envelope{c, of(r.ticket), r})
}

// order asks, and waits for the outcome.
func (c *Credential) order(ctx context.Context, of func(ticket) message) error {
	r := newRound()
	c.ask(r, of)
	select {
	case <-r.donec:
		return r.err
	case <-ctx.Done():
		return ctx.Err()
	case <-c.actor().donec:
		return ErrClosed
	}
}

// Replayed reports how a request fared that was sent again with t after a 401:
// accepted, or rejected like the one before. The client decorator calls it. It
// tells a revoked token from a server that rejects every token, and costs one
// message for each token.
func (c *Credential) Replayed(t *Token, accepted bool) {
	report := uint32(t.generation)<<1 | 1
	if accepted {
		report &^= 1
		report += 1 << 31
	}
	if c.reported.Swap(report) != report {
		c.actor().post(envelope{c, replayed{t, accepted}, nil})
	}
}

// Install puts in a token from a new login. It wins over any refresh under way
// and returns when it is stored. ctx bounds the wait; the login goes on. With
// an error that matches ErrNotSaved the token is in use but not stored yet,
// unless Policy.FailClosed is set: then it is not used.
//
// A Token with a RefreshToken alone is refreshed at its first use.
func (c *Credential) Install(ctx context.Context, t Token) error {
	switch {
	case t.AccessToken.IsZero() && t.RefreshToken.IsZero():
		return errors.New("manager: Install: the token has neither AccessToken nor RefreshToken; to log out use Forget")
	case t.ExpiresIn < 0:
		return ErrBornExpired
	}
	if err := t.unsendable(); err != nil {
		return err
	}
	t.prepare()
	return c.order(ctx, func(n ticket) message { return install{n, &t} })
}

// Retry asks the Refresher now and returns the token that comes of it. It is for what
// the manager cannot know: that a password was corrected, a client registered, an outage
// is over. It overrides refusals, suspicions and the manager's own back-off; never the
// lease, the journal mark and its quiet time, or the server's Retry-After, of which it
// returns the error at once. A token that is still good stays in use until its successor
// is there. After Forget it counts as a login.
//
// Callers that come while an attempt is under way share its outcome. Called in a loop it
// sends once in each back-off, and returns the last outcome in between. ctx bounds this
// caller's wait only. The errors are those of Token.
func (c *Credential) Retry(ctx context.Context) (*Token, error) {
	if c.Refreshing(ctx) {
		return nil, errOwnRefresh
	}
	r := newRound()
	c.ask(r, func(n ticket) message { return retry{n} })
	select {
	case <-r.donec:
		return r.token, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-c.actor().donec:
		return nil, ErrClosed
	}
}

// Forget logs out: no token is given out and nothing is refreshed until
// Install, here and in every process that shares the store. It returns when
// that is stored, and wins over any refresh under way. At the authorization
// server nothing is revoked, unless the Refresher is a Revoker.
func (c *Credential) Forget(ctx context.Context) error {
	return c.order(ctx, func(n ticket) message { return forget{n} })
}

// Release lets go of the credential: its name may be managed anew, its memory
// is free, its snapshot stays in the store. A refresh under way that spends a
// refresh token is finished and saved. Later calls answer ErrReleased.
func (c *Credential) Release() {
	c.actor().post(envelope{c, leave{ErrReleased}, nil})
}

func newRound() *round { return &round{donec: make(chan struct{})} }

// Status tells how the credential is and why.
func (c *Credential) Status() Status {
	to := make(chan Status, 1)
	c.actor().post(envelope{c, inspect{to}, nil})
	select {
	case s := <-to:
		return s
	case <-c.actor().donec:
		return Status{Name: c.machine.name, State: StateClosed}
	}
}
