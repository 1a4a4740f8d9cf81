package manager

import (
	"errors"
	"time"
)

// begin starts a renewal: lock, load, adopt if newer, mark, check, send, save,
// publish, reply, unlock. What a credential does not need is left out.
func (m *machine) begin(t *turn) {
	w := m.doing()
	if m.onlyLooks() {
		m.reload(t)
		return
	}
	if m.heldBack(t) {
		return
	}
	switch {
	case !m.set.leased, w.leased && (w.mark.IsZero() || w.ownerless):
		m.enqueue(t)
		return
	case w.leased: // but the load under the lease failed, and news came of a mark: its owner may be sending
		m.reload(t)
		return
	}
	m.phase = locking
	early := len(w.waiters) == 0
	w.early = early || m.last()
	t.emit(lock{m.lockLimit(), early, m.last()})
}

// last reports whether the renewal comes after all others: it is probably for nothing.
func (m *machine) last() bool { return !m.work.suspicion.IsZero() && !m.work.forced }

// lockLimit is how long the lease is waited for: while an honest holder may need
// it, who loads, saves a mark, looks whether it is there, refreshes and saves the
// answer. Behind one that was stopped, callers are to hear of it.
func (m *machine) lockLimit() time.Duration {
	save := positive(m.set.saveLimit, maxSave)
	if !m.refreshable() {
		return save // it would go ahead without
	}
	return sum(m.set.policy.markLimit(), save, save, save, save, leaseMargin)
}

// hurry moves a renewal that was early, and for which a caller waits now, ahead
// of the other early ones.
func (m *machine) hurry(t *turn) {
	if !m.work.early || m.last() {
		return
	}
	switch m.phase {
	case locking:
		t.emit(lock{m.lockLimit(), false, false})
	case queued:
		t.emit(queue{})
	default:
		return
	}
	m.work.early = false
}

func (m *machine) enqueue(t *turn) {
	w := m.work
	m.phase = queued
	early := len(w.waiters) == 0
	w.early = early || m.last()
	t.emit(queue{early, m.last()})
}

// abandon ends a renewal that has sent nothing.
func (m *machine) abandon(t *turn) {
	switch m.phase {
	case locking:
		t.emit(unlock{})
	case queued:
		t.emit(yield{})
	}
	m.phase = resting
}

func (m *machine) unlock(t *turn) {
	if m.work.leased {
		m.work.leased = false
		t.emit(unlock{})
	}
}

// lockAnswered goes on under the lease; what the siblings wrote comes first.
func (m *machine) lockAnswered(t *turn, err error) {
	w := m.doing()
	switch {
	case m.phase != locking:
		if err == nil {
			t.emit(unlock{})
		}
	case err == nil:
		w.leased = true
		m.reload(t)
	case m.refreshable():
		m.phase = resting
		m.putOff(t, err)
	default: // asking twice harms nobody: the lease would only have saved the server work
		m.enqueue(t)
	}
}

func (m *machine) reload(t *turn) {
	m.phase = storing
	m.load(t, forReload)
}

// reloaded goes on with what the store holds now.
func (m *machine) reloaded(t *turn, s *Snapshot, err error) {
	w := m.work
	m.phase = resting
	if err != nil {
		m.say(t, EventLoadFailed, err)
		if m.refreshable() || m.onlyLooks() {
			m.putOff(t, err)
		} else {
			m.enqueue(t)
		}
		return
	}
	m.adopt(t, s)
	if m.onlyLooks() {
		m.looked(t)
		return
	}
	if m.set.leased && !w.leased { // it was a look, and has brought something to do
		return
	}
	if w.leased && t.lease == 0 { // lost meanwhile: its new holder may be about to send
		m.unlock(t)
		return
	}
	if !w.ownerless { // from now on nobody sends under this mark
		w.ownerless = true
		m.beginQuiet(t)
	}
	if m.wanted(t) {
		m.enqueue(t)
	}
}

// looked ends a renewal that was no more than a look: what the store has is all there is.
func (m *machine) looked(t *turn) {
	w := m.work
	w.forced = false
	if m.published {
		w.failures, w.retry = 0, 0
		m.resolve(nil)
		return
	}
	w.failures++
	w.retry = after(t.now, m.set.policy.retry(w.failures, t.dice))
	if w.failure != nil && w.failure.Class != ClassFinal {
		w.failure = nil
	}
	m.resolve(m.obstacle(t))
}

// wanted reports whether a refresh is still needed, and allowed, now.
func (m *machine) wanted(t *turn) bool {
	m.serve(t)
	return m.work.leaving == nil && len(m.work.controls) == 0 && t.now >= m.start()
}

// granted goes on with a slot in hand.
func (m *machine) granted(t *turn) {
	w := m.doing()
	if m.phase != queued {
		t.emit(yield{})
		return
	}
	m.phase = resting
	if !m.wanted(t) || m.heldBack(t) { // of many that began together the first may have heard of trouble since
		t.emit(yield{})
		return
	}
	if m.set.leased && !w.leased && m.refreshable() { // news brought a refresh token, and it was queued without the lease
		t.emit(yield{})
		return
	}
	t.emit(begun{m.last()})
	m.attempt++
	w.parent = m.token
	if !m.refreshable() {
		m.send(t)
		return
	}
	w.nextMark = Mark{Owner: m.set.owner, Attempt: uint64(m.attempt), Login: m.token.login, Generation: m.token.generation,
		At: time.Unix(0, t.wall), Limit: m.set.policy.markLimit(), Guarded: !w.mark.IsZero()}
	if !m.set.durable {
		w.mark = w.nextMark
		m.send(t)
		return
	}
	m.phase = storing
	m.save(t, forMark, Snapshot{Token: *m.token, Mark: w.nextMark, Refusals: w.refusals, Suspicion: w.suspicion}, w.leased)
}

// marked goes on when the mark is durable, or cannot be made so.
func (m *machine) marked(t *turn, err error) {
	w := m.work
	m.phase = resting
	switch {
	case err == nil:
		m.revision++
		m.check(t)
	case errors.Is(err, ErrConflict): // a sibling was faster
		m.breakOff(t, err)
		if w.leased {
			m.unlock(t)
			return
		}
		m.reload(t)
	case errors.Is(err, ErrLeaseLost):
		m.breakOff(t, err)
		m.unlock(t)
	default: // it may be stored or not: look
		m.phase = storing
		w.saveErr = err
		m.load(t, forMarkCheck)
	}
}

// markChecked goes on after a mark of unknown fate was looked for.
func (m *machine) markChecked(t *turn, s *Snapshot, err error) {
	w := m.work
	m.phase = resting
	switch {
	case err == nil && s.Mark.same(w.nextMark):
		m.revision, w.refusals = s.Revision, s.Refusals // ours, and what a sibling added
		m.check(t)
		return
	case err == nil && s.Revision != m.revision:
		t.emit(yield{})
		m.adopt(t, s)
		return
	}
	if len(w.controls) > 0 {
		t.emit(yield{})
		return
	}
	m.say(t, EventSaveFailed, w.saveErr)
	if m.published || m.set.policy.FailClosed || w.leaving != nil {
		t.emit(yield{})
		m.putOff(t, notSaved(w.saveErr))
		return
	}
	if m.leaseShort(t) { // a sibling may be at work
		m.breakOff(t, errShortLease)
		return
	}
	// Availability before the last bit of safety, and said so.
	t.emit(event{Event{Kind: EventUnmarked, Attempt: uint64(m.attempt), Generation: m.generation(), Err: w.saveErr}})
	w.mark, w.dirty = w.nextMark, true
	m.send(t)
}

// check is the last thing before sending: does the lease outlive the refresh
// and the save, and does nobody want something else by now?
func (m *machine) check(t *turn) {
	w := m.work
	before := w.mark
	w.mark = w.nextMark
	w.unsaved, w.unstored, w.dirty = false, nil, false // the mark's snapshot had it all
	short := m.leaseShort(t)
	if !short && len(w.controls) == 0 && w.leaving == nil {
		m.send(t)
		return
	}
	if short {
		m.breakOff(t, errShortLease)
	} else {
		t.emit(yield{})
	}
	w.mark, w.dirty = before, true
}

// breakOff ends a renewal that has to begin again. The first may at once; a lease
// that is always too short, or a store that always conflicts, would make a loop.
func (m *machine) breakOff(t *turn, err error) {
	t.emit(yield{})
	if m.work.brokenOff {
		m.putOff(t, err)
	}
	m.work.brokenOff = true
}

// leaseShort reports whether a refresh begun now, and the save of its answer, may
// outlive the lease.
func (m *machine) leaseShort(t *turn) bool {
	return m.work.leased && t.lease >= 0 && t.lease < int64(sum(m.set.policy.limit(), m.set.saveLimit, leaseMargin))
}

// send calls the Refresher.
func (m *machine) send(t *turn) {
	w := m.work
	m.phase = sending
	w.sentAt, w.sentWall = t.now, t.wall
	w.ownerless = true // when it has returned
	w.overdue, w.hung, w.brokenOff = false, false, false
	m.beginQuiet(t)
	if w.forced {
		w.forced = false
		w.forces++
	}
	t.emit(refresh{uint64(m.attempt), m.token})
}

// beginQuiet begins the quiet time of the mark: nothing is sent under another before
// the request that it speaks of is surely over. Of one that was answered that is as
// long again as the answer took; but while the access token is usable there is no hurry,
// and the whole time costs nobody anything.
func (m *machine) beginQuiet(t *turn) {
	w := m.work
	w.quiet, w.quietUsable = 0, 0
	if w.mark.IsZero() {
		return
	}
	w.quiet = after(t.now, sum(min(w.mark.Limit, maxMarkLimit), quietMargin))
	w.quietUsable = max(w.quiet, after(t.now, sum(m.set.policy.markLimit(), quietMargin)))
}
