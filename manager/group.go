package manager

import "fmt"

// heldBack reports whether the renewal has to wait for what others of the group
// know of their token endpoint, and puts it off.
func (m *machine) heldBack(t *turn) bool {
	w, g := m.work, &t.group
	if !w.suspicion.IsZero() && !w.forced {
		healed := g.healed > w.failedAt
		switch {
		case t.now < w.suspectDue && !healed:
			w.retry = min(w.suspectDue, m.nextLook(t))
			return true
		case t.now < g.suspects && healed:
			w.retry = after(max(g.suspects, t.now), portion(suspectSpread, t.dice)+1)
			return true
		case t.now < g.suspects:
			w.retry = m.nextLook(t)
			return true
		}
	}
	if t.now >= g.until {
		return false
	}
	w.retry = after(g.until, portion(g.spread, t.dice))
	w.final = false
	if w.failure == nil || w.failure.Class == ClassFinal || w.suspicion.IsZero() {
		w.failure = m.failure(&heldBackError{g.err}, g.class)
	} else {
		later := *w.failure
		w.failure = &later
	}
	w.failure.RetryAt = wallAt(t, w.retry)
	m.resolve(w.failure)
	t.emit(event{Event{Kind: EventHeldBack, Generation: m.generation(), RetryAt: w.failure.RetryAt, Class: g.class, Err: w.failure.Err}})
	return true
}

// A heldBackError says that the token endpoint told another credential of the group
// to wait.
type heldBackError struct{ err error }

func (e *heldBackError) Error() string {
	return fmt.Sprintf("the token endpoint is in trouble: %v", e.err)
}

func (e *heldBackError) Unwrap() error { return e.err }
