package manager

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// A trial is one machine in a world that a schedule of bytes decides over: it
// answers what is asked, or not, or wrongly, or late; siblings write to the same
// store; the process dies. After each step the trial checks what must always hold.
type trial struct {
	data    []byte
	set     settings
	machine machine
	process byte
	now     int64
	lease   int64 // when it ends; negative: never; 0: none

	stored Snapshot // what the store holds

	// What the machine waits for.
	load, save bool
	question   load
	write      save
	late       []save // given up, but perhaps under way still
	locking    bool
	lockEarly  bool
	queued     bool
	slot       bool
	flight     *refresh

	shown    *Token
	last     *Token                // the last one published, by this process
	unstored bool                  // the last login was not stored
	open     map[ticket]*Token     // unanswered, and what each rejected
	next     ticket                // the last one given out
	logins   map[ticket]*Token     // of the open ones, those of Install and Forget
	serial   int                   // of the last token made
	sent     map[string]*sentToken // by refresh token
	leaving  bool
	calm     bool             // no more adversity: everything is answered well
	trace    *strings.Builder // nil: none wanted
}

// sentToken is what became of a refresh token.
type sentToken struct {
	at        int64
	refused   bool // the server said so
	spent     bool // its answer reached this process
	marked    bool // under a stored mark
	elsewhere bool // by a sibling, for all that its mark tells
}

func newTrial(data []byte) *trial {
	t := &trial{data: data, now: 1, open: make(map[ticket]*Token), logins: make(map[ticket]*Token), sent: make(map[string]*sentToken)}
	shape := t.draw()
	t.set.world = &world{durable: shape&1 != 0, leased: shape&3 == 3, saveLimit: time.Duration(shape>>2&1) * 10 * time.Second}
	t.set.policy = Policy{FailClosed: shape&8 != 0, Jitter: -1}
	if shape&16 != 0 {
		t.set.policy.Idle = 10 * time.Minute
	}
	if shape&32 != 0 && t.set.durable {
		t.stored = t.sibling(0, 1)
		t.stored.Revision = 1
	}
	t.start()
	return t
}

// draw takes the next byte of the schedule, 0 past its end.
func (t *trial) draw() byte {
	if len(t.data) == 0 {
		return 0
	}
	b := t.data[0]
	t.data = t.data[1:]
	return b
}

func (t *trial) start() {
	t.process++
	t.set.owner = [16]byte{t.process}
	t.machine = newMachine("demo", &t.set)
	t.giveUp()
	t.lease, t.locking, t.queued, t.slot, t.flight = 0, false, false, false, nil
	t.shown, t.last, t.leaving = nil, nil, false
	clear(t.open)
	clear(t.logins)
	for secret, s := range t.sent { // what was not stored is forgotten
		s.spent = false
		s.refused = s.refused && !t.stored.Refusal.IsZero()
		if !s.marked {
			delete(t.sent, secret)
		}
	}
}

// fresh makes a token that nobody has seen.
func (t *trial) fresh(refreshable bool) *Token {
	t.serial++
	token := &Token{AccessToken: NewSecret(fmt.Sprintf("A%d", t.serial)), ExpiresIn: time.Hour}
	if refreshable {
		token.RefreshToken = NewSecret(fmt.Sprintf("R%d", t.serial))
	}
	return token
}

// sibling makes a snapshot as another process would store it.
func (t *trial) sibling(login, generation uint64) Snapshot {
	token := t.fresh(true)
	token.Expiry = t.wall().Add(token.ExpiresIn)
	return Snapshot{Token: *token, Login: login, Generation: generation, Revision: t.stored.Revision + 1}
}

func (t *trial) wall() time.Time { return time.Unix(0, storyWall+t.now) }

func (t *trial) moment() moment {
	at := moment{now: t.now, wall: storyWall + t.now, dice: uint64(t.draw()) << 56, lease: -1}
	if t.calm {
		at.dice = 1 << 63
	}
	if t.lease >= 0 {
		at.lease = max(t.lease-t.now, 0)
	}
	return at
}

// step gives the machine a message and takes in what it answers.
func (t *trial) step(m message) {
	if t.trace != nil {
		t.note("%s %s", stamp(t.now), brief(m))
	}
	unmarked := false
	for _, e := range t.machine.step(t.moment(), m, nil) {
		if t.trace != nil {
			t.note("      %s", describe(e))
		}
		t.perform(e, &unmarked)
	}
	t.check()
}

// note writes a line of the trace.
func (t *trial) note(format string, args ...any) {
	if t.trace != nil {
		fmt.Fprintf(t.trace, format+"\n", args...)
	}
}

func (t *trial) fail(format string, args ...any) {
	panic(violation(fmt.Sprintf(format, args...)))
}

// A violation is a broken invariant.
type violation string

func (t *trial) perform(e effect, unmarked *bool) {
	switch e := e.(type) {
	case load:
		t.giveUp()
		t.load, t.question = true, e
	case save:
		if e.fenced && !t.machine.set.leased {
			t.fail("a fenced save in a world without leases")
		}
		t.giveUp()
		t.save, t.write = true, e
	case lock:
		if t.lease != 0 || t.locking && (e.early || !t.lockEarly) {
			t.fail("a lock while the lease is held or waited for")
		}
		t.locking, t.lockEarly = true, e.early
	case unlock:
		t.locking, t.lease = false, 0
	case queue:
		t.queued = true
	case yield:
		if !t.queued && !t.slot {
			t.fail("a yield of nothing")
		}
		t.queued, t.slot = false, false
	case refresh:
		t.begin(e, *unmarked)
	case publish:
		t.publish(e.token)
	case withdraw:
		t.shown = nil
	case reply:
		t.reply(e)
	case event:
		*unmarked = *unmarked || e.Kind == EventUnmarked
		if e.Err != nil {
			_ = e.Err.Error() // no typed nil
		}
	}
}

// giveUp makes a write that nobody waits for any more a late one.
func (t *trial) giveUp() {
	if t.save {
		t.late = append(t.late, t.write)
	}
	t.load, t.save = false, false
}

// apply carries a save out as the store would.
func (t *trial) apply(w save) error {
	if w.fenced && (t.lease == 0 || t.lease > 0 && t.lease <= t.now) {
		return ErrLeaseLost
	}
	if w.expect != t.stored.Revision {
		return ErrConflict
	}
	if w.snapshot.Revision != w.expect+1 {
		t.fail("revision %d is to replace %d", w.snapshot.Revision, w.expect)
	}
	if w.snapshot.Login < t.stored.Login || w.snapshot.Login == t.stored.Login && w.snapshot.Generation < t.stored.Generation {
		t.fail("(%d, %d) overwrites the newer (%d, %d)", w.snapshot.Login, w.snapshot.Generation, t.stored.Login, t.stored.Generation)
	}
	if r := t.stored.Token.RefreshToken; !r.IsZero() && w.snapshot.Mark.IsZero() {
		if s := t.sent[r.Reveal()]; s != nil && s.elsewhere {
			delete(t.sent, r.Reveal()) // our answer wins over a sibling's mark
		}
	}
	t.stored = *w.snapshot
	return nil
}

// brief writes a message for the trace.
func brief(m message) string {
	switch m := m.(type) {
	case ask:
		if m.rejected != nil {
			return fmt.Sprintf("ask %d rejected=%s patient=%t", m.ticket, m.rejected.AccessToken.Reveal(), m.patient)
		}
		return fmt.Sprintf("ask %d patient=%t", m.ticket, m.patient)
	case install:
		return fmt.Sprintf("install %d %s", m.ticket, describeToken(m.token))
	case forget:
		return fmt.Sprintf("forget %d", m.ticket)
	case loaded:
		if m.err != nil {
			return "loaded " + m.err.Error()
		}
		return fmt.Sprintf("loaded rev=%d %s", m.snapshot.Revision, describeSnapshot(m.snapshot))
	case saved:
		return fmt.Sprintf("saved err=%v", m.err)
	case refreshed:
		if m.err != nil {
			return fmt.Sprintf("refreshed %d err=%v", m.attempt, m.err)
		}
		return fmt.Sprintf("refreshed %d %s refresh=%s", m.attempt, m.token.AccessToken.Reveal(), m.token.RefreshToken.Reveal())
	}
	return fmt.Sprintf("%T%+v", m, m)
}

var errOutage = errors.New("outage")
