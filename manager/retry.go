package manager

import "slices"

// retry takes in a caller of Credential.Retry: the Refresher is to be asked now,
// whatever was refused, and the caller gets the outcome of that attempt, or of the
// one that is under way.
func (m *machine) retry(t *turn, msg retry) {
	w := m.doing()
	if m.set.policy.Idle > 0 {
		m.woken(t)
	}
	if m.loaded && t.now < w.forcedUntil && !w.forced && m.phase == resting && w.next == nil {
		switch { // called in a loop: the last outcome stands for now
		case w.failure != nil && w.failure.Class == ClassFinal:
			t.emit(reply{msg.ticket, nil, w.failure})
			return
		case w.failure != nil:
			err := w.failure
			if err.obstacle() { // which may have gone, and another be there
				err = m.obstacle(t)
			}
			if err == w.failure {
				err = m.failureUntil(t, w.forcedUntil)
			}
			t.emit(reply{msg.ticket, nil, err})
			return
		case m.published:
			t.emit(reply{msg.ticket, m.token, nil})
			return
		}
	}
	w.waiters = append(w.waiters, waiter{ticket: msg.ticket, retry: true})
	stored := m.phase == storing && (w.purpose == forState || w.purpose == forStateCheck) // the outcome is being stored, and shared
	w.forced = w.forced || m.phase != sending && !stored && w.next == nil
	m.hurry(t)
}

// retried reports whether somebody waits for the outcome of an attempt.
func (m *machine) retried() bool {
	return slices.ContainsFunc(m.work.waiters, func(c waiter) bool { return c.retry })
}

// resolve tells those who wait for the outcome of an attempt what it was; nil: the
// current token.
func (m *machine) resolve(err error) {
	w := m.work
	w.forced = false
	if m.retried() {
		w.resolved, w.outcome = true, err
	}
}

// resolveWith tells those who wait for the outcome of an attempt that a token came from
// elsewhere. Where it cannot be used they go on waiting for the attempt; a logout ends it.
func (m *machine) resolveWith() {
	switch {
	case m.published:
		m.resolve(nil)
	case m.loggedOut():
		m.resolve(m.failure(errLoggedOut, ClassFinal))
	}
}

// outcome answers a caller of Retry; false: it is not known yet.
func (m *machine) outcome(t *turn, c waiter) bool {
	w := m.work
	switch {
	case w.leaving != nil:
		t.emit(reply{c.ticket, nil, w.leaving})
	case !m.loaded:
		err := m.denial(t, false)
		if err == nil {
			return false
		}
		t.emit(reply{c.ticket, nil, err})
	case !w.resolved:
		return false
	case w.outcome != nil:
		t.emit(reply{c.ticket, nil, w.outcome})
	case m.published:
		t.emit(reply{c.ticket, m.token, nil})
	default:
		err := m.denial(t, false)
		if err == nil { // it was rejected meanwhile: the next attempt's outcome counts
			return false
		}
		t.emit(reply{c.ticket, nil, err})
	}
	return true
}

// decline answers those who wait for an attempt where none may begin now: the quiet
// time runs, or the server asked to wait.
func (m *machine) decline(t *turn) {
	w := m.work
	if w == nil || !m.loaded || m.phase != resting || w.purpose != forNothing || w.leaving != nil || len(w.controls) > 0 || w.resolved || m.waitsOut(t) {
		return
	}
	if !m.retried() {
		w.forced = false
		return
	}
	w.forced = w.forced || !m.ended() // RetryAt is when it could be sent on purpose
	m.resolve(m.obstacle(t))
}

// lapse ends the time in which no further attempt is made on purpose.
func (m *machine) lapse(t *turn) {
	if w := m.work; w != nil && w.forcedUntil > 0 && t.now >= w.forcedUntil {
		w.forcedUntil = 0
	}
}
