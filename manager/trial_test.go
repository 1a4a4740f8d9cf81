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

	stored     Snapshot        // what the store holds
	retryDates map[int64]int64 // when each RetryAt, in nanoseconds, was stored first
	lineages   map[string]int  // which login a token comes from
	lineage    int             // the last one given out

	// What a wide schedule decides over, beside the rest.
	wide  bool
	odd   bool // answers and logins have odd tokens
	group outlook

	// What the machine waits for.
	load, save bool
	question   load
	write      save
	late       []save // given up, but perhaps under way still
	locking    bool
	lockFirst  bool // it waits among those in need
	queued     bool
	slot       bool
	begun      bool // the renewal has gone through the group's outlook
	flight     *refresh
	forced     bool  // somebody waits for the outcome of flight on purpose
	forcedEnd  int64 // when the last such flight ended

	shown    *Token
	last     *Token                // the last one published, by this process
	unstored bool                  // the last login was not stored
	open     map[ticket]*Token     // unanswered, and what each rejected
	next     ticket                // the last one given out
	logins   map[ticket]*Token     // of the open ones, those of Install and Forget
	serial   int                   // of the last token made
	sent     map[string]*sentToken // by refresh token
	retries  map[ticket]retried    // of the open ones, those of Retry
	patient  map[ticket]bool       // of the open ones, which wait through back-off
	outcomes map[ticket]bool       // those that got a token, or that a login is required
	returned int                   // flights that have ended
	healed   bool                  // the last of them brought a token
	everSent map[string]bool       // refresh tokens, over restarts
	wait     told429               // what the server last asked for
	leaving  bool
	calm     bool             // no more adversity: everything is answered well
	trace    *strings.Builder // nil: none wanted
}

// retried is how things were when somebody called Retry.
type retried struct {
	token    *Token
	returned int
}

// told429 is what Retry-After said, to whom.
type told429 struct {
	prev  *Token
	until int64
}

// sentToken is what became of a refresh token.
type sentToken struct {
	at        int64
	over      int64 // when the request is surely over
	refused   bool  // the server said so
	spent     bool  // its answer reached this process
	marked    bool  // under a stored mark
	guarded   bool  // an earlier request is in doubt
	elsewhere bool  // by a sibling, for all that its mark tells
}

func newTrial(data []byte) *trial {
	t := &trial{data: data, now: 1, open: make(map[ticket]*Token), logins: make(map[ticket]*Token), sent: make(map[string]*sentToken),
		retries: make(map[ticket]retried), outcomes: make(map[ticket]bool), patient: make(map[ticket]bool), everSent: make(map[string]bool), lineages: make(map[string]int)}
	shape := t.draw()
	t.set.world = &world{durable: shape&1 != 0, leased: shape&3 == 3, saveLimit: time.Duration(shape>>2&1) * 10 * time.Second}
	t.set.policy = Policy{FailClosed: shape&8 != 0, Jitter: -1}
	if shape&16 != 0 {
		t.set.policy.Idle = 10 * time.Minute
	}
	if shape&64 != 0 { // bits that came later are drawn later, so that old schedules mean what they meant
		t.widen()
	}
	if shape&32 != 0 && t.set.durable {
		t.stored = t.sibling(0, 1)
		t.stored.Revision = 1
		if t.wide {
			t.first(&t.stored)
		}
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
	t.begun, t.forced, t.forcedEnd = false, false, 0
	t.shown, t.last, t.leaving = nil, nil, false
	clear(t.open)
	clear(t.logins)
	clear(t.retries)
	clear(t.patient)
	if p := t.wait.prev; p == nil || p.RefreshToken.IsZero() || !t.stored.Token.RefreshToken.Equal(p.RefreshToken) || t.stored.RetryAt.Before(time.Unix(0, storyWall+t.wait.until)) {
		t.wait = told429{}
	}
	for secret, s := range t.sent { // what was not stored is forgotten
		s.spent = false
		s.refused = s.refused && t.refusedUs(&t.stored)
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

func (t *trial) wall() time.Time { return time.Unix(0, storyWall+t.now) }

func (t *trial) moment() moment {
	at := moment{now: t.now, wall: storyWall + t.now, dice: uint64(t.draw()) << 56, lease: -1, group: t.group}
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
	unmarked, shown := false, t.shown
	for _, e := range t.machine.step(t.moment(), m, nil) {
		if t.trace != nil && !forGroup(e) {
			t.note("      %s", describe(e))
		}
		t.perform(e, &unmarked)
	}
	t.check()
	t.checkShown(shown, m)
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
		if t.set.reader && t.machine.work.purpose != forLogin && !t.machine.work.unsaved {
			t.fail("a reader writes %s", describeSnapshot(e.snapshot))
		}
		if e.fenced && !t.machine.set.leased {
			t.fail("a fenced save in a world without leases")
		}
		t.giveUp()
		t.save, t.write = true, e
	case lock:
		first := !e.early && !e.suspected
		if t.lease != 0 || t.locking && (!first || t.lockFirst) {
			t.fail("a lock while the lease is held or waited for")
		}
		if t.set.reader {
			t.fail("a reader takes the lease")
		}
		t.locking, t.lockFirst = true, first
	case unlock:
		t.locking, t.lease = false, 0
	case begun:
		switch {
		case t.now < t.group.until:
			t.fail("a renewal begins %v before its group may", time.Duration(t.group.until-t.now))
		case e.suspected && len(t.retries) == 0 && t.now < t.group.suspects:
			t.fail("a suspected renewal begins %v before others of its group may", time.Duration(t.group.suspects-t.now))
		}
		t.begun = true
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
		t.healed = (t.healed || e.Kind == EventRefreshed && t.stored.Suspicion.IsZero()) && e.Kind != EventAdopted
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

// forGroup reports whether an effect is for the group alone, and in no trace.
func forGroup(e effect) bool {
	switch e.(type) {
	case begun, told:
		return true
	}
	return false
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
