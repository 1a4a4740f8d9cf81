package manager

import "time"

// A phase is how far a renewal has come.
type phase uint8

const (
	resting phase = iota // no renewal is under way
	locking              // waits for the lease
	queued               // waits for a slot
	storing              // waits for the store: reload, mark, answer or refusal
	sending              // the Refresher has been called and has not returned
)

// A purpose says what an outstanding load or save is for.
type purpose uint8

const (
	forNothing    purpose = iota
	forStart              // load: the first
	forNews               // load: somebody wrote
	forReload             // load: under the lease, or after a conflict, before the mark
	forMark               // save: the mark
	forMarkCheck          // load: was the mark saved?
	forState              // save: the newest token, a refusal, or a mark cleared
	forStateCheck         // load: with what did it conflict?
	forLogin              // save: Install or Forget
	forLoginCheck         // load: with what did it conflict?
)

// A world is what the machines of one Manager have in common.
type world struct {
	owner     [16]byte      // of our marks
	saveLimit time.Duration // 0: none
	durable   bool          // there is a Store
	leased    bool          // there is a Locker
	silent    bool          // the Store tells no news
	spare     *work         // of the last machine that was done with its own: a start-up makes a million
}

// settings are shared by all credentials of one Policy and group.
type settings struct {
	*world
	policy Policy
	group  string
	asker  uint64 // whose refusals are ours: a hash of client id and token endpoint
	asks   uint64 // a hash of that and what is asked for; 0: it does not say
	reader bool   // there is no Refresher: nothing is sent
	revoke bool   // the Refresher is a Revoker
	actor  *actor // for callers; no business of the machine's
}

// A machine is the state of one credential: a pure function of the messages it
// was given. It starts no goroutine, reads no clock, draws no random number and
// holds no lock; what it wants done it says in effects. There may be a million,
// so whatever is not always needed lives in work.
type machine struct {
	name     string
	set      *settings
	token    *Token // the newest known; nil: none ever, without secrets: logged out
	work     *work  // nil: nothing is going on
	revision uint64 // the store's, as last seen
	usable   int64  // until then token may be published, machine time
	due      int64  // its renewal begins, machine time
	read     int64  // when somebody last asked for it; with Policy.Idle only
	attempt  uint32 // serial number of the last refresh
	dying    uint32 // the refresh token dies soon after: seconds of machine time; 0: nothing to say
	op       uint16 // serial number of the last load or save

	phase     phase
	loaded    bool // the store was asked
	published bool // token is usable and given out
	parked    bool // but hidden from lock-free readers, so that the next one is noticed
	source    Source
}

// newMachine makes the machine of a credential about which nothing is known.
func newMachine(name string, set *settings) machine {
	return machine{name: name, set: set, due: never, loaded: !set.durable}
}

// A turn is one step while it is being made.
type turn struct {
	moment
	out []effect
}

func (t *turn) emit(e effect) { t.out = append(t.out, e) }

// step takes in what happened and says what to do, in order, appended to out.
func (m *machine) step(at moment, msg message, out []effect) []effect {
	t := turn{at, out}
	m.expire(&t)
	m.warn(&t)
	m.lapse(&t)
	switch msg := msg.(type) {
	case ask:
		m.ask(&t, msg)
	case retry:
		m.retry(&t, msg)
	case install:
		m.doing().controls = append(m.doing().controls, control(msg))
	case forget:
		m.doing().controls = append(m.doing().controls, control{msg.ticket, nil})
	case replayed:
		m.replayed(&t, msg)
	case blamed:
		if w := m.work; w != nil && m.token.same(msg.token) {
			w.barrenUntil, w.quick = 0, 0
		}
	case tick:
		m.overrun(&t)
	case news:
		m.hear(&t, msg.revision)
	case loaded:
		m.answered(&t, msg.op, msg.snapshot, msg.err)
	case saved:
		m.answered(&t, msg.op, nil, msg.err)
	case found:
		m.found(&t, msg.snapshot)
	case locked:
		m.lockAnswered(&t, msg.err)
	case granted:
		m.granted(&t)
	case refreshed:
		m.refreshed(&t, msg)
	case revoked:
		m.revoked(&t, msg.err)
	case leave:
		m.leave(&t, msg.err)
	default:
		unknown("message", msg)
	}
	m.serve(&t)
	m.pursue(&t)
	m.decline(&t)
	m.serve(&t)
	m.settle()
	return t.out
}

// pursue does the next thing that is due.
func (m *machine) pursue(t *turn) {
	w := m.work
	if w == nil {
		if t.now < m.due || m.asleep(t) {
			return
		}
		w = m.doing()
	}
	if w.purpose != forNothing {
		return
	}
	if !m.loaded {
		if w.leaving == nil && len(w.waiters)+len(w.controls) > 0 && t.now >= w.loadRetry {
			m.load(t, forStart)
		}
		return
	}
	for len(w.controls) > 0 && w.purpose == forNothing {
		m.control(t)
	}
	if m.phase == locking && w.purpose == forNothing && w.heard > m.revision {
		m.load(t, forNews) // the holder of the lease may be stopped, and the news a login
	}
	if m.phase != resting || w.purpose != forNothing {
		return
	}
	switch owed := w.unsaved || w.dirty; {
	case owed && w.leaving == nil && t.now >= w.saveRetry, owed && w.leaving != nil && !w.lastTry:
		w.lastTry = w.leaving != nil
		m.saveState(t)
		return
	case w.leaving != nil:
		m.unlock(t)
		return
	case !owed:
		m.unlock(t) // kept until all is saved: the siblings would find the old token
	}
	switch {
	case w.heard > m.revision:
		m.load(t, forNews)
	case t.now >= m.start():
		if len(w.waiters) == 0 && m.asleep(t) {
			return
		}
		m.begin(t)
	}
}

// start is when the next renewal may begin, never if none is wanted.
func (m *machine) start() int64 {
	w := m.work
	if w == nil {
		return m.due
	}
	begin := m.due
	if w.asked() {
		begin = 0
	}
	switch {
	case w.next != nil:
		return never
	case m.onlyLooks() && !m.set.durable:
		return never
	case m.onlyLooks() && w.forced:
		return 0
	case m.onlyLooks() && begin == 0:
		return w.retry
	case m.onlyLooks():
		return never
	case w.forced && m.set.leased && !w.ownerless:
		return w.after
	case w.forced: // whatever it may do to a token that is usable
		return max(w.after, w.quiet)
	case m.ended():
		return never
	}
	return max(begin, w.retry, w.after, m.guard())
}

// ended reports whether nothing is sent any more: only a login helps, or Retry.
func (m *machine) ended() bool {
	return m.loggedOut() || m.barred()
}

// onlyLooks reports whether a renewal consists of a look into the store: there is no
// Refresher, or only a login helps and the store does not tell when another process
// brings one.
func (m *machine) onlyLooks() bool {
	return m.set.reader || m.set.silent && !m.work.forced && m.ended()
}

// guard is when an unresolved mark allows a guarded try: after the quiet time, and
// not while there is a usable token that the try might revoke; but where the server
// has answered, in good time to try again while there is one. The mark's owner may be
// at work: whether it still is, the lease tells.
func (m *machine) guard() int64 {
	w := m.work
	switch {
	case w.mark.IsZero(), m.set.leased && !w.ownerless:
		return 0
	case m.published && w.mark.Answered:
		return w.quietUsable
	case m.published:
		return max(w.quiet, m.usable)
	}
	return w.quiet
}

// deadline is when the machine wants a tick, never if it waits for answers only.
func (m *machine) deadline() int64 {
	d := min(m.showDeadline(), m.warnDeadline())
	w := m.work
	if w == nil {
		return min(d, m.due)
	}
	if w.purpose != forNothing {
		d = min(d, w.limit)
	}
	if m.phase == sending && !w.hung && w.late == nil {
		d = min(d, m.refreshLimit())
	}
	if w.forcedUntil > 0 {
		d = min(d, w.forcedUntil)
	}
	if m.phase != resting || w.purpose != forNothing || w.leaving != nil {
		return d
	}
	if !m.loaded {
		if len(w.waiters)+len(w.controls) > 0 {
			d = min(d, w.loadRetry)
		}
		return d
	}
	if w.unsaved || w.dirty {
		d = min(d, w.saveRetry)
	}
	return min(d, m.start())
}

// overrun ends what has passed its time limit.
func (m *machine) overrun(t *turn) {
	w := m.work
	if w == nil {
		return
	}
	if w.purpose != forNothing && t.now >= w.limit {
		m.answered(t, m.op, nil, errSaveLimit)
	}
	if m.phase != sending || w.hung || w.late != nil || t.now < m.refreshLimit() {
		return
	}
	if w.overdue {
		w.hung = true
		t.emit(event{Event{Kind: EventHung, Attempt: uint64(m.attempt), Generation: m.generation()}})
		return
	}
	w.overdue = true
	t.emit(cancel{uint64(m.attempt)})
	w.failure = m.timedOut(t)
	m.resolve(w.failure)
}

func (m *machine) timedOut(t *turn) *RefreshError {
	failure := m.failure(ErrTimeLimit, ClassUnknown)
	failure.RetryAt = wallAt(t, max(t.now, m.work.quiet))
	return failure
}

// refreshLimit is when the running refresh is overdue, and then when it is said
// to hang: a second later, as most return when their context ends.
func (m *machine) refreshLimit() int64 {
	limit := after(m.work.sentAt, m.set.policy.limit())
	if m.work.overdue {
		limit = after(limit, quietMargin)
	}
	return limit
}

// say emits an event about the current token.
func (m *machine) say(t *turn, kind EventKind, err error) {
	t.emit(event{Event{Kind: kind, Generation: m.generation(), Err: err}})
}

func (m *machine) generation() uint64 {
	if m.token == nil {
		return 0
	}
	return m.token.generation
}

// loggedOut reports whether Forget had the last word.
func (m *machine) loggedOut() bool {
	return m.token != nil && m.token.AccessToken.IsZero() && m.token.RefreshToken.IsZero()
}

// refreshable reports whether a refresh spends a refresh token.
func (m *machine) refreshable() bool { return m.token != nil && !m.token.RefreshToken.IsZero() }

// machineTime turns wall time into machine time, zero into never.
func (t *turn) machineTime(wall time.Time) int64 {
	if wall.IsZero() {
		return never
	}
	return t.now + wall.UnixNano() - t.wall
}

// wallAt turns a machine time into wall time.
func wallAt(t *turn, at int64) time.Time {
	return time.Unix(0, t.wall).Add(time.Duration(at - t.now))
}
