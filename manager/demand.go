package manager

import "time"

// ask takes in a caller without a usable token.
func (m *machine) ask(t *turn, msg ask) {
	w := m.doing()
	if m.set.policy.Idle > 0 {
		m.woken(t)
	}
	if m.published && m.token.same(msg.rejected) && !m.reject(t) {
		t.emit(reply{msg.ticket, nil, ErrStillRejected})
		return
	}
	w.waiters = append(w.waiters, waiter{msg.ticket, msg.rejected, msg.patient, false})
	m.hurry(t)
}

// reject takes the published token away because a server rejected it. It is
// false where that would not help: new tokens were rejected as well.
func (m *machine) reject(t *turn) bool {
	w := m.work
	if t.now < w.barrenUntil {
		return false
	}
	if w.born == 0 || t.now-w.born >= int64(bornFresh) {
		w.quick = 0
	} else if w.quick++; w.quick >= quickLimit {
		m.barren(t)
		return false
	}
	m.say(t, EventRejected, nil)
	m.hide(t)
	m.due = t.now
	w.forRejection = true
	return true
}

// barren puts refreshes for rejections off: the token is not at fault.
func (m *machine) barren(t *turn) {
	w := m.doing()
	w.barren++
	w.quick = 0
	p := &m.set.policy
	w.barrenUntil = after(t.now, double(p.backoff(), p.backoffMax(), w.barren))
	t.emit(event{Event{Kind: EventBarren, Generation: m.generation(), RetryAt: wallAt(t, w.barrenUntil), Err: ErrStillRejected}})
}

// replayed takes in how a request fared that was sent again with a new token.
func (m *machine) replayed(t *turn, msg replayed) {
	w := m.work
	switch {
	case w == nil || !m.token.same(msg.token):
	case msg.accepted:
		w.born, w.quick, w.fruitless, w.barren, w.barrenUntil = 0, 0, 0, 0, 0
	case w.born != 0:
		w.born = 0
		if w.fruitless++; w.fruitless >= fruitlessLimit { // one may have been revoked just then
			m.barren(t)
		}
	}
}

// serve answers the callers that can be answered.
func (m *machine) serve(t *turn) {
	w := m.work
	if w == nil || len(w.waiters) == 0 {
		return
	}
	kept := w.waiters[:0]
	for _, c := range w.waiters {
		switch {
		case c.retry:
			if !m.outcome(t, c) {
				kept = append(kept, c)
			}
		case m.published && !m.token.same(c.rejected):
			t.emit(reply{c.ticket, m.token, nil})
		case m.published:
			if m.reject(t) { // loaded, or installed again, after the question
				kept = append(kept, c)
			} else {
				t.emit(reply{c.ticket, nil, ErrStillRejected})
			}
		default:
			if err := m.denial(t, c.patient); err != nil {
				t.emit(reply{c.ticket, nil, err})
			} else {
				kept = append(kept, c)
			}
		}
	}
	clear(w.waiters[len(kept):])
	w.waiters = kept
	w.resolved, w.outcome = false, nil
}

// denial is why a caller cannot be served and need not wait; nil: it may wait.
func (m *machine) denial(t *turn, patient bool) error {
	w := m.work
	switch {
	case w.leaving != nil:
		return w.leaving
	case !m.loaded:
		if t.now < w.loadRetry && !patient {
			return w.loadErr
		}
		return nil
	case w.purpose != forNothing || len(w.controls) > 0:
		return nil
	case m.phase == resting && m.onlyLooks() && t.now >= m.start():
		return nil
	case m.loggedOut() && w.next == nil:
		return m.failure(errLoggedOut, ClassFinal)
	case m.phase == sending && w.overdue && !patient:
		if w.failure == nil || w.failure.RetryAt.UnixNano() < t.wall { // a login has come since, or time has passed
			w.failure = m.timedOut(t)
		}
		return w.failure
	case m.phase != resting:
		return nil
	case m.barred() && w.next == nil:
		return m.refused()
	case t.now >= m.start() || m.waitsOut(t), patient && !w.final && (m.start() != never || w.next != nil):
		return nil
	}
	return m.obstacle(t)
}

// obstacle is why no attempt may begin now.
func (m *machine) obstacle(t *turn) *RefreshError {
	w := m.work
	start := m.start()
	switch {
	case w.forced && !m.set.reader: // whatever was refused
	case m.loggedOut() && w.next == nil:
		return m.failure(errLoggedOut, ClassFinal)
	case m.barred() && w.next == nil:
		return m.refused()
	case m.set.reader && w.failure == nil:
		w.failure = m.failure(ErrNoRefresher, ClassConfiguration)
	}
	if m.set.reader && m.set.durable {
		start = w.retry // the store may have another token then
	}
	switch {
	case w.failure != nil && !(w.forced && w.failure.Class == ClassFinal) && !w.failure.obstacle():
	case w.after > t.now:
		w.failure = m.failure(errRetryAfter, ClassAnswered)
	case w.mark.IsZero():
		w.failure = m.failure(errSameToken, ClassAnswered)
	default:
		w.failure = m.failure(ErrQuietTime, ClassUnknown)
	}
	if w.next != nil {
		start = max(t.now, w.saveRetry) // FailClosed: the answer is there and waits for the store
	}
	if start == never {
		if at := w.failure.RetryAt; !at.IsZero() && at.UnixNano() < t.wall { // it has passed, and there is no other
			later := *w.failure
			later.RetryAt = time.Time{}
			w.failure = &later
		}
		return w.failure
	}
	return m.failureUntil(t, start)
}

// obstacle reports whether e says why no attempt may begin, and not how the last one failed.
func (e *RefreshError) obstacle() bool {
	return e.Err == errRetryAfter || e.Err == errSameToken || e.Err == ErrQuietTime
}

// failureUntil is the last failure, with a RetryAt that is not before at.
func (m *machine) failureUntil(t *turn, at int64) *RefreshError {
	w := m.work
	if at := wallAt(t, max(t.now, at)); w.failure.RetryAt.Before(at) {
		later := *w.failure // others have the one before
		later.RetryAt = at
		w.failure = &later
	}
	return w.failure
}

// refusal is that of our own asker, or for a process without one any; zero: there is none.
func (m *machine) refusal() Refusal {
	for _, r := range m.work.refusals {
		if r.Asker == m.set.asker || m.set.reader {
			return r
		}
	}
	return Refusal{}
}

// barred reports whether the Refresher is not asked until somebody wants it on purpose.
func (m *machine) barred() bool { return m.work.barred != nil || !m.refusal().IsZero() }

// refused is what callers are told while a refusal stands.
func (m *machine) refused() *RefreshError {
	w := m.work
	switch r := m.refusal(); {
	case w.failure != nil && w.failure.Class == ClassFinal:
	case r.IsZero():
		w.failure = w.barred
	default:
		w.failure = m.failure(storedReason(r.Reason), ClassFinal)
		w.failure.Lost = r.Lost
	}
	return w.failure
}
