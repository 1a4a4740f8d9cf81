package manager

import (
	"context"
	"errors"
	"time"
)

// A Refresher gets a token: by a grant of RFC 6749, or by any other login.
//
// The manager calls Refresh on a goroutine of its own, at most once at a time
// for one name, from several goroutines for several names. The context is the
// manager's: it is cancelled at the Policy's time limit, and at Close where prev
// has no refresh token; it carries the name (see Refreshing).
//
// prev is the token to renew, the zero Token the first time; prev.RefreshToken,
// where there is one, is spent by the call. The manager takes a returned Token
// whatever error history came before; an error tells by its mark what to do
// next: Permanent, LoginRequired, Doubtful, RetryAfter, Unspent. An unmarked error is
// retried with back-off. A panic becomes that refresh's error.
type Refresher interface {
	Refresh(ctx context.Context, name string, prev Token) (Token, error)
}

// RefresherFunc makes a function a Refresher.
type RefresherFunc func(ctx context.Context, name string, prev Token) (Token, error)

// Refresh calls f.
func (f RefresherFunc) Refresh(ctx context.Context, name string, prev Token) (Token, error) {
	return f(ctx, name, prev)
}

// A Grouper is a Refresher that names its authorization server. Credentials
// whose Policy has no Group of its own belong to the group it names.
type Grouper interface {
	Group() string
}

// A Revoker is a Refresher that can also end a login at its authorization server
// (RFC 7009). When Forget has the last word, the manager calls Revoke in the
// background, after the tombstone is stored, with the token that Forget put away,
// and with one that a refresh under way brings after that. The context ends at the
// Policy's time limit. Nobody waits for Revoke but Close; it is tried once, and an
// event says what came of it.
type Revoker interface {
	Revoke(ctx context.Context, name string, token Token) error
}

// refreshMark is what Permanent and its like wrap an error in. Marks add up:
// RetryAfter(Unspent(err), d) is both.
type refreshMark struct {
	err   error
	kind  markKind
	after time.Duration
}

type markKind uint8

const (
	markPermanent markKind = iota + 1
	markLoginRequired
	markRetryAfter
	markUnspent
	markDoubtful
)

func (e *refreshMark) Error() string { return e.err.Error() }
func (e *refreshMark) Unwrap() error { return e.err }

// Is makes a LoginRequired error match ErrLoginRequired.
func (e *refreshMark) Is(target error) bool {
	return e.kind == markLoginRequired && target == ErrLoginRequired
}

func wrap(err error, m refreshMark) error {
	if err == nil {
		return nil
	}
	m.err = err
	return &m
}

// Permanent marks an error of a Refresher that asking again soon will not mend:
// a wrong client secret, an unknown scope. Callers get it at once; it is kept in
// memory only and asked again every five minutes. Permanent(nil) is nil.
func Permanent(err error) error { return wrap(err, refreshMark{kind: markPermanent}) }

// LoginRequired marks an error that only a new login mends, as invalid_grant
// (RFC 6749 section 5.2) does. It is stored: nothing is sent for this credential
// until Install, also after a restart. Callers see ErrLoginRequired.
// LoginRequired(nil) is nil.
func LoginRequired(err error) error { return wrap(err, refreshMark{kind: markLoginRequired}) }

// RetryAfter marks an error whose server named a time to wait (RFC 9110 section
// 10.2.3). It is honoured up to ten minutes. RetryAfter(nil, d) is nil.
func RetryAfter(err error, d time.Duration) error {
	return wrap(err, refreshMark{kind: markRetryAfter, after: d})
}

// Unspent marks an error after which the refresh token is certainly unspent: the
// request was never sent (dial or TLS failed), or it was declined unread (429).
// It may be sent again without the quiet time that an unknown outcome asks for.
// Unspent(nil) is nil.
func Unspent(err error) error { return wrap(err, refreshMark{kind: markUnspent}) }

// Doubtful marks an answer that refuses the refresh token for a reason it does
// not give: a 400 with an empty body, invalid_request. Such a refusal is
// probably for good: it is tried three more times at the longest back-off and
// then treated as LoginRequired. Doubtful(nil) is nil.
func Doubtful(err error) error { return wrap(err, refreshMark{kind: markDoubtful}) }

// verdict is what a Refresher's error says about the refresh token and the next
// attempt.
type verdict struct {
	permanent     bool
	loginRequired bool
	unspent       bool
	doubtful      bool
	after         time.Duration // 0: none named
}

// judge collects the marks of err.
func judge(err error) verdict {
	var v verdict
	for err != nil {
		m, ok := errors.AsType[*refreshMark](err)
		if !ok {
			break
		}
		switch m.kind {
		case markPermanent:
			v.permanent = true
		case markLoginRequired:
			v.loginRequired = true
		case markRetryAfter:
			v.after = m.after
		case markUnspent:
			v.unspent = true
		case markDoubtful:
			v.doubtful = true
		}
		err = m.err
	}
	return v
}

type refreshingKey struct{}

// refreshing is what the context of a refresh carries.
type refreshing struct{ credential *Credential }

// Refreshing reports whether ctx is that of a refresh of c. A client that
// authorizes requests with c sends such a request bare: the refresh cannot wait
// for itself.
func (c *Credential) Refreshing(ctx context.Context) bool {
	r, ok := ctx.Value(refreshingKey{}).(refreshing)
	return ok && r.credential == c
}
