package manager

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A universe is two or three processes that share one credential: real machines
// over a fake store, lease and authorization server, and the network between. The
// server rotates refresh tokens and revokes the family of one that is used again.
// Whoever drives it decides what happens next; it says what has gone wrong.
//
// Tokens have no expiry: callers come with a rejected one. A quiet time does not
// end while a request is on the network, which is what it stands for.
type universe struct {
	*rules
	now      int64
	procs    []process
	stored   Snapshot
	lease    int8 // who holds it, -1: nobody
	requests []request
	late     []lateWrite
	families [6]family // [0] is nobody's
	logins   byte      // families begun
	current  byte      // the family of the last durable login, 0: logged out
	budget   budget
	strayed  bool // an answer was lost for good by a crash or a time-out
	trace    *[]string
}

// rules are what a world is made of, and which rule is switched off in it.
type rules struct {
	name     string
	leasing  leasing
	sets     [3][4]settings // by process and incarnation
	renewals byte
	controls [3]string // of each process: i Install, f Forget, r Retry
	askers   [3]uint64 // of each process
	wrong    [3]bool   // its asker is one to whom the server refuses every refresh token
	readers  [3]bool   // it has no Refresher
	naive    string
	start    budget
	procs    int
	alone    bool // no Locker
	closed   bool // Policy.FailClosed
	hasty    bool // callers do not wait through back-off
	unmarked bool // a mark may fail to be saved where that does not stop the sending
}

type leasing uint8

const (
	kernelLock leasing = iota // held until it is given up or its process dies
	bounded                   // may expire, but never between send and save
	lossy                     // may expire at any moment: then no client can keep the family alive
)

// budget is how often each adversity may happen.
type budget struct {
	crash, giveUp, drop, fail, unclear, late, blind, steal, news int8

	trouble int8 // an answer that decides nothing, whatever became of the request
	odd     int8 // a refusal in words that are not known
}

type family struct {
	newest byte
	dead   bool
}

// A process is a machine and what its loop holds for it.
type process struct {
	machine     machine
	incarnation byte
	asks        byte // still to come
	controls    byte // done
	open        bool // an ask is unanswered
	controlling bool
	unstored    bool   // before this step it had a login that was never stored
	rejected    *Token // what the next ask rejects
	last        *Token // published
	locking     bool
	queued      bool
	load        bool
	save        *save // asked for and not yet carried out
	login       bool  // it brings an Install or Forget
	answer      error // of the save that was carried out
	answered    bool
}

// A lateWrite was given up by its process, and may be carried out yet.
type lateWrite struct {
	from  int8
	save  *save
	login bool
}

// A request is a refresh on the network, or its answer.
type request struct {
	from      int8
	attempt   uint64
	family    byte
	index     byte
	guarded   bool
	waiting   bool // its sender has not given it up
	processed bool
	answer    byte // the new index, 0: refused, oddAnswer
	dropped   bool
	login     bool // by Retry after a logout: it begins a family
}

// oddAnswer is a refusal in words that are not known; nothing was spent.
const oddAnswer = 255

func (r *rules) universe() *universe {
	u := &universe{rules: r, now: 1, lease: -1, budget: r.start, logins: 1, current: 1}
	for f := range u.families {
		u.families[f].newest = 1
	}
	u.stored = Snapshot{Token: *coin(1, 1), Login: 1, Generation: 1, Revision: 1}
	for i := range r.procs {
		u.procs = append(u.procs, process{asks: r.renewals, rejected: coin(1, 1)})
		u.boot(i)
	}
	return u
}

func (u *universe) boot(i int) {
	p := &u.procs[i]
	set := &u.sets[i][p.incarnation]
	if set.world == nil {
		set.world = &world{owner: [16]byte{byte(i + 1), p.incarnation}, durable: true, leased: !u.alone}
		set.policy.FailClosed = u.closed
		set.asker, set.reader = u.askers[i], u.readers[i] && u.naive != "reader refuses"
	}
	p.machine = newMachine("demo", set)
	p.locking, p.queued, p.load, p.save, p.answered, p.last = false, false, false, nil, false, nil
}

var coins [6][10]*Token

// coin is the token of that family and index. Tokens are immutable, so each is
// made once.
func coin(f, index byte) *Token {
	if coins[f][index] == nil {
		coins[f][index] = &Token{AccessToken: NewSecret(fmt.Sprintf("a%d.%d", f, index)), RefreshToken: NewSecret(fmt.Sprintf("r%d.%d", f, index))}
	}
	return coins[f][index]
}

// read gives the family and index of a token, 0 for a tombstone or none.
func read(t *Token) (f, index byte) {
	if t == nil || t.RefreshToken.IsZero() {
		return 0, 0
	}
	s := t.RefreshToken.Reveal()
	return s[1] - '0', s[3] - '0'
}

func (u *universe) clone() *universe {
	v := *u
	v.procs = slices.Clone(u.procs)
	v.requests = slices.Clone(u.requests)
	v.late = slices.Clone(u.late)
	for i := range v.procs {
		p := &v.procs[i]
		if p.machine.work == nil {
			continue
		}
		w := *p.machine.work
		w.waiters = slices.Clone(w.waiters)
		w.controls = slices.Clone(w.controls)
		if w.login != nil {
			login := *w.login
			w.login = &login
		}
		p.machine.work = &w
	}
	return &v
}

func (u *universe) fail(format string, args ...any) { panic(violation(fmt.Sprintf(format, args...))) }

func (u *universe) note(format string, args ...any) {
	if u.trace != nil {
		*u.trace = append(*u.trace, fmt.Sprintf(format, args...))
	}
}

var errLostAnswer = errors.New("no answer")

// step gives a machine a message and carries out what it says, slots included:
// there is always one.
func (u *universe) step(i int, m message) {
	p := &u.procs[i]
	at := moment{now: u.now, wall: storyWall + u.now, dice: 1 << 63}
	if u.naive == "no check" || u.lease == int8(i) && u.leasing == kernelLock {
		at.lease = -1
	} else if u.lease == int8(i) {
		at.lease = int64(time.Hour)
	}
	if u.trace != nil {
		u.note("  P%d %s", i, brief(m))
	}
	p.unstored = p.machine.work != nil && p.machine.work.unstored != nil
	for _, e := range p.machine.step(at, m, nil) {
		if u.trace != nil && !forGroup(e) {
			u.note("       %s", describe(e))
		}
		u.perform(i, e)
	}
	u.switchOff(i)
	if p.queued {
		p.queued = false
		u.step(i, granted{})
	}
}

func (u *universe) perform(i int, e effect) {
	p := &u.procs[i]
	switch e := e.(type) {
	case load:
		p.load, p.save, p.answered = true, nil, false
	case save:
		w := p.machine.work
		if p.machine.set.reader && w.purpose != forLogin && !w.unsaved {
			u.fail("P%d, a reader, writes", i)
		}
		p.load, p.save, p.answered = false, &e, false
		p.login = w.purpose == forLogin || w.unstored != nil || w.next != nil && p.machine.loggedOut()
	case lock:
		if p.machine.set.reader {
			u.fail("P%d, a reader, takes the lease", i)
		}
		p.locking = true
	case unlock:
		p.locking = false
		if u.lease == int8(i) {
			u.lease = -1
		}
	case queue:
		p.queued = true
	case yield:
		p.queued = false
	case refresh:
		u.send(i, e)
	case publish:
		u.publish(i, e.token)
	case reply:
		if f, _ := read(p.machine.token); errors.Is(e.err, ErrLoginRequired) && f > 0 && f == u.current && !u.wrong[i] && !u.readers[i] && !u.families[f].dead {
			u.fail("P%d is told that a living login is dead", i)
		}
		if e.ticket == 1 {
			p.open = false
			p.rejected = p.last
		} else {
			p.controlling = false
		}
	}
}

// send puts a refresh on the network. Only one may be under way (invariant 1).
func (u *universe) send(i int, e refresh) {
	for _, r := range u.requests {
		if r.waiting && u.leasing != lossy && u.naive == "" {
			u.fail("P%d sends while P%d waits for an answer", i, r.from)
		}
	}
	if u.procs[i].machine.set.reader {
		u.fail("P%d, a reader, sends", i)
	}
	f, index := read(e.prev)
	login := f == 0 && u.controls[i] != "" && strings.Contains(u.controls[i], "r")
	if f == 0 && !login {
		u.fail("P%d logs in by itself, after a logout", i)
	}
	u.requests = append(u.requests, request{from: int8(i), attempt: e.attempt, family: f, index: index,
		guarded: u.procs[i].machine.work.mark.Guarded, waiting: true, login: login})
	if u.readers[i] { // as processes without a Refresher once did
		r := &u.requests[len(u.requests)-1]
		r.processed, r.answer = true, 0
	}
}

// publish may only go forward, and only what is stored or known to be unsaved. A
// login that was never stored gives way to any that was.
func (u *universe) publish(i int, t *Token) {
	p := &u.procs[i]
	if l := p.last; l != nil && !p.unstored && (t.login < l.login || t.login == l.login && t.generation < l.generation) {
		u.fail("P%d publishes (%d, %d) after (%d, %d)", i, t.login, t.generation, l.login, l.generation)
	}
	if w := p.machine.work; u.stored.compare(t) < 0 && (w == nil || !w.unsaved) && u.naive == "" {
		u.fail("P%d publishes (%d, %d), which is not stored", i, t.login, t.generation)
	}
	p.last = t
}

// held reports whether anybody still has the newest refresh token of the family.
func (u *universe) held(f byte) bool {
	has := func(t *Token) bool {
		g, index := read(t)
		return g == f && index == u.families[f].newest
	}
	if has(&u.stored.Token) {
		return true
	}
	for i := range u.procs {
		m := &u.procs[i].machine
		if has(m.token) || m.work != nil && (has(m.work.next) || m.work.late != nil && has(m.work.late.token)) {
			return true
		}
	}
	for _, r := range u.requests {
		if r.waiting && r.family == f && r.answer == u.families[f].newest {
			return true
		}
	}
	return false
}
