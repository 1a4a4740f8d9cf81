package manager

import (
	"context"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A Resource is what accepts or rejects tokens: an origin such as
// "https://api.example.com", and a path without its query.
type Resource struct{ Origin, Path string }

// A Rejection says that a resource rejected a token.
type Rejection struct {
	Token    *Token
	Resource Resource
}

// What evidence goes by.
const (
	maxResources = 4096
	hearingTime  = time.Second      // for what others say about a rejected token
	firstChance  = time.Second      // until a bad resource may renew again; doubled up to lastChance
	lastChance   = time.Minute      //
	badMemory    = 10 * time.Minute // a bad resource that nobody asks for is forgotten
	maxWitnesses = 8
	leastRow     = 2
	mostRow      = 16
	renewalBurst = 20 // renewals that evidence asks for, where a refresh token is at stake; one a second besides
)

// evidence is what resources have said of one credential's tokens. A rejection alone does
// not tell whether the token or the resource is at fault: an API answers 401 to what is not
// yours, too. So it is judged by resource. Nothing is noted before a
// resource has rejected a fresh token, and nothing after all such are well again.
//
// It is no state of the token's, and callers must not wait for the loop to hear of it: a
// mutex guards it, which is held for some map operations.
type evidence struct {
	active atomic.Bool   // a resource is known to be bad
	begun  atomic.Uint64 // grows with each rejection that waits to hear of others

	mu        sync.Mutex
	resources map[uint64]*resource
	hearings  []*hearing
	bad       int
	row       row
	need      int     // so many in a row prove that the token is at fault
	newest    version // the token that Settle counts for, where it is set,
	newSince  int64   // and since when it is there
	spare     float64 // renewals that may be asked for at once
	refilled  int64
}

// A version tells the tokens of a credential apart.
type version struct{ login, generation uint64 }

// A resource is what evidence knows of one.
type resource struct {
	accepted  version // the last that it accepted
	bad       bool    // it rejected a fresh token
	held      int     // times in a row that its rejection was given back, or renewing did not help
	chance    int64   // before that its rejections are given back
	blind     bool    // it accepts what others reject: a health page, a CDN
	witnesses []uint64
}

// A row is different resources without history that rejected one token, with nothing accepted
// between.
type row struct {
	origin string
	token  version
	begun  uint64
	keys   []uint64
	proved bool // they were enough
}

// A hearing is a rejection that waits for what others say.
type hearing struct {
	origin   string
	key      uint64
	token    version
	begun    uint64
	verdictc chan bool // holds one: true, the token is at fault; false, it is not
}

var resourceSeed = maphash.MakeSeed()

func (r Resource) key() uint64 {
	var h maphash.Hash
	h.SetSeed(resourceSeed)
	_, _ = h.WriteString(r.Origin)
	_, _ = h.WriteString(r.Path)
	return h.Sum64()
}

func versionOf(t *Token) version { return version{t.login, t.generation} }

// at returns what is known of a resource, made where there is none. Of too many the first
// that comes to hand is forgotten, a good one if it can be.
func (e *evidence) at(key uint64) *resource {
	if r := e.resources[key]; r != nil {
		return r
	}
	if len(e.resources) >= maxResources {
		victim, tried := uint64(0), 0
		for k, r := range e.resources {
			if victim = k; !r.bad {
				break
			}
			if tried++; tried == 8 {
				break
			}
		}
		e.forget(victim)
	}
	r := &resource{}
	if e.resources == nil {
		e.resources = make(map[uint64]*resource)
	}
	e.resources[key] = r
	return r
}

func (e *evidence) forget(key uint64) {
	if r := e.resources[key]; r != nil && r.bad {
		e.bad--
	}
	delete(e.resources, key)
	e.active.Store(e.bad > 0)
}

// judgement is what becomes of a rejection.
type judgement uint8

const (
	giveBack   judgement = iota // the token is not at fault, as far as is known
	renewNow                    // it is: whatever renewals for others did
	renewMaybe                  // nothing is known: if no pause runs
	hearOthers                  // for hearingTime
)

// rejected judges the rejection of a request's first sending.
func (e *evidence) rejected(now int64, key uint64, of Rejection) (judgement, *hearing) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.tidy(now)
	if e.bad == 0 {
		return renewMaybe, nil
	}
	r, token := e.at(key), versionOf(of.Token)
	switch {
	case r.accepted == token:
		return e.proven(now, of.Token), nil
	case (r.bad || r.held > 0) && now < r.chance:
		return giveBack, nil
	case r.bad || r.held > 0:
		e.hold(now, r)
		return renewMaybe, nil
	}
	h := &hearing{origin: of.Resource.Origin, key: key, token: token, begun: e.begun.Add(1), verdictc: make(chan bool, 1)}
	if e.join(h) {
		e.hearings = slices.DeleteFunc(e.hearings, func(other *hearing) bool {
			if other.origin != h.origin || other.token != token {
				return false
			}
			other.verdictc <- true
			return true
		})
		return e.proven(now, of.Token), nil
	}
	e.hearings = append(e.hearings, h)
	return hearOthers, h
}

// join adds a rejection to the row, and reports whether it is long enough. How long that is,
// experience tells: where many URLs are bad two of them often come in a row.
func (e *evidence) join(h *hearing) bool {
	r := &e.row
	if r.origin != h.origin || r.token != h.token {
		*r = row{origin: h.origin, token: h.token, begun: h.begun}
	}
	if !slices.Contains(r.keys, h.key) {
		r.keys = append(r.keys, h.key)
	}
	e.need = max(e.need, leastRow)
	r.proved = len(r.keys) >= e.need
	return r.proved
}

// unheard judges a rejection of which nobody has said anything: where half as many as prove it
// were rejected in a row, and nothing was accepted for all that time, that is proof too.
func (e *evidence) unheard(now int64, h *hearing, token *Token) judgement {
	e.mu.Lock()
	defer e.mu.Unlock()
	if r := &e.row; r.origin != h.origin || r.token != h.token || len(r.keys) < max((e.need+1)/2, leastRow) {
		return renewMaybe
	}
	e.row.proved = true
	return e.proven(now, token)
}

// learn takes in whether renewing for a row helped one of those in it.
func (e *evidence) learn(key uint64, helped bool) {
	if !e.row.proved || !slices.Contains(e.row.keys, key) {
		return
	}
	if e.row.proved = false; helped {
		e.need = max(e.need-1, leastRow)
	} else {
		e.need = min(e.need+1, mostRow)
	}
}

// replayRejected notes that a resource rejected a fresh token; unless it accepted that very
// one before, so that it has been revoked since.
func (e *evidence) replayRejected(now int64, key uint64, of Rejection) judgement {
	e.mu.Lock()
	defer e.mu.Unlock()
	r := e.at(key)
	if r.accepted == versionOf(of.Token) {
		return e.proven(now, of.Token)
	}
	e.learn(key, false)
	if !r.bad {
		r.bad = true
		e.bad++
	}
	r.witnesses = nil
	if now >= r.chance {
		e.hold(now, r)
	}
	e.active.Store(true)
	return giveBack
}

// hold gives the rejections of r back until its next chance.
func (e *evidence) hold(now int64, r *resource) {
	r.held++
	r.chance = after(now, double(firstChance, lastChance, r.held))
}

// accepted notes that a resource accepted a token. begun is when the request was begun, as
// Begun returned it; replay that it had been rejected with the token before.
func (e *evidence) accepted(origin string, key uint64, token *Token, begun uint64, replay bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	r := e.at(key)
	if replay {
		e.learn(key, true)
		for _, w := range r.witnesses { // renewing helped although they said it would not
			if witness := e.resources[w]; witness != nil {
				witness.blind = true
			}
		}
	}
	if r.bad {
		e.bad--
	}
	blind := r.blind
	*r = resource{accepted: versionOf(token), blind: blind}
	if !blind {
		e.speak(origin, key, r.accepted, begun)
	}
	e.active.Store(e.bad > 0)
}

// speak answers those who wait to hear of a token.
func (e *evidence) speak(origin string, key uint64, token version, begun uint64) {
	if r := &e.row; !r.proved && r.origin == origin && r.token == token && begun >= r.begun {
		r.keys, r.begun = r.keys[:0], begun
	}
	e.hearings = slices.DeleteFunc(e.hearings, func(h *hearing) bool {
		if h.origin != origin || h.token != token || h.key == key || begun < h.begun {
			return false
		}
		if r := e.resources[h.key]; r != nil && len(r.witnesses) < maxWitnesses {
			r.witnesses = append(r.witnesses, key)
		}
		h.verdictc <- false
		return true
	})
}

// ended takes back a hearing that nobody waits for any more, and notes what came of it.
func (e *evidence) ended(now int64, h *hearing, givenBack bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.hearings = slices.DeleteFunc(e.hearings, func(other *hearing) bool { return other == h })
	if r := e.resources[h.key]; r != nil && givenBack && now >= r.chance {
		e.hold(now, r)
	}
}

// proven is the judgement of a rejection that is the token's fault. A server that rejects
// every token once must not spend refresh tokens without end.
func (e *evidence) proven(now int64, token *Token) judgement {
	if token.RefreshToken.IsZero() {
		return renewNow
	}
	if e.refilled == 0 {
		e.spare = renewalBurst
	}
	e.spare = min(e.spare+float64(now-e.refilled)/float64(time.Second), renewalBurst)
	e.refilled = now
	if e.spare < 1 {
		return renewMaybe
	}
	e.spare--
	return renewNow
}

// tidy forgets bad resources that nobody has asked for in a while.
func (e *evidence) tidy(now int64) {
	if e.bad == 0 {
		return
	}
	for key, r := range e.resources {
		if r.bad && now > after(r.chance, badMemory) {
			e.forget(key)
		}
	}
}

// evidence returns what is known of the credential's resources, nil while nothing is. It is
// not in the Credential, of which there may be a million, with hardly any that has some; but
// with Policy.Settle each that has a token has some.
func (c *Credential) evidence() *evidence {
	a := c.actor()
	if a.gathered.Load() == 0 {
		return nil
	}
	e, _ := a.evidence.Load(c)
	known, _ := e.(*evidence)
	return known
}

func (c *Credential) gather() *evidence {
	a := c.actor()
	e, there := a.evidence.LoadOrStore(c, &evidence{})
	if !there {
		a.gathered.Add(1)
	}
	return e.(*evidence)
}

// drop forgets the evidence of a credential that is gone.
func (a *actor) drop(c *Credential) {
	a.registry.drop(c)
	if _, there := a.evidence.LoadAndDelete(c); there {
		a.gathered.Add(-1)
	}
}

// Begun returns a number for a request that is about to be sent, for Accepted. It costs a
// load or two, and is 0 while no resource is known to reject fresh tokens.
func (c *Credential) Begun() uint64 {
	if e := c.evidence(); e != nil && e.active.Load() {
		return e.begun.Load() + 1
	}
	return 0
}

// Accepted reports that a resource accepted t in a request with that number of Begun. The
// client decorator calls it for answers of 2xx, where Begun was not 0, and after each replay that was not rejected.
func (c *Credential) Accepted(at Resource, t *Token, begun uint64, replay bool) {
	if e := c.evidence(); e != nil && (e.active.Load() || replay) {
		e.accepted(at.Origin, at.key(), t, begun, replay)
	}
}

// ReplayRejected reports that a resource rejected a fresh token, with which a request had been
// sent again, and returns whether it is worth while to renew once more: where it accepted that
// very token before. Otherwise it is known to be bad: its rejections are given back, but
// for a chance now and then.
func (c *Credential) ReplayRejected(at Resource, t *Token) (again bool) {
	if c.usable(t) != nil { // it was replaced while the request was under way: no fresh one
		return true
	}
	e := c.gather()
	again = e.replayRejected(c.sinceStart(), at.key(), Rejection{t, at}) != giveBack
	if again {
		c.actor().post(envelope{c, blamed{t}, nil})
	}
	return again
}

// Judge tells whether a rejection is the token's fault, as far as other resources tell: nil where
// it may be, so that Renew is the thing to do, and ErrStillRejected where it is not: that of a
// resource that rejects fresh tokens, or of a token that others accept. It waits up to a
// second for what others say. Where a resource rejects a token that it has accepted before,
// the next Renew is made at once, whatever renewals for others did. ctx bounds the wait.
func (c *Credential) Judge(ctx context.Context, of Rejection) error {
	e := c.evidence()
	if e == nil || !e.active.Load() || c.usable(of.Token) != nil {
		return nil
	}
	j, h := e.rejected(c.sinceStart(), of.Resource.key(), of)
	if j == hearOthers {
		j = c.hear(ctx, e, h, of.Token)
	}
	switch j {
	case giveBack:
		return errResource
	case renewNow:
		c.actor().post(envelope{c, blamed{of.Token}, nil})
	}
	return nil
}

var errResource = fmt.Errorf("%w by this resource, and others accept them", ErrStillRejected)

// sinceStart is a machine time that other goroutines than the loop may ask for.
func (c *Credential) sinceStart() int64 {
	_, now := c.actor().now()
	return now + 1
}

// hear waits for what others say about a rejected token.
func (c *Credential) hear(ctx context.Context, e *evidence, h *hearing, token *Token) judgement {
	timer := c.actor().clock.Timer(hearingTime)
	defer timer.Stop()
	j := renewMaybe
	select {
	case fault := <-h.verdictc:
		if j = giveBack; fault {
			j = renewNow
		}
	case <-timer.C:
		j = e.unheard(c.sinceStart(), h, token)
	case <-ctx.Done():
	case <-c.actor().donec:
	}
	e.ended(c.sinceStart(), h, j == giveBack)
	return j
}
