package manager

import "time"

// How a suspicion is followed up.
const (
	suspectFirst   = time.Minute      // after the first answer; doubled by each further one
	suspectMost    = time.Hour        // at most, in the first day
	suspectDay     = 24 * time.Hour   // at most, after it
	suspectLook    = 45 * time.Minute // how often we look whether others of the group have healed
	suspectSpread  = 10 * time.Second // over which those come for whom there was no room
	suspectAnswers = 2                // from so many answers on callers are told
)

// suspect takes in a refusal in words that are not known, and returns how long to wait
// before the next attempt. Tries come as fast as the back-off allows, so they prove
// nothing; only time does. So it is never believed for good: it costs less and less to ask again.
func (m *machine) suspect(t *turn, err error) time.Duration {
	s := &m.work.suspicion
	wall := time.Unix(0, t.wall)
	before := wall.Sub(s.Last)
	if s.IsZero() {
		s.Since, before = wall, 0
	}
	if s.Answers == 0 || before >= suspectFirst {
		s.Answers++
	}
	s.Last, s.Reason = wall, err.Error()
	return s.wait(before)
}

// wait is how long after the last answer the next attempt is due. before is how long
// the last one had come after the one before it.
func (s *Suspicion) wait(before time.Duration) time.Duration {
	if s.Last.Sub(s.Since) < suspectDay {
		return double(suspectFirst, suspectMost, int(s.Answers))
	}
	return min(max(sum(before, before), suspectMost), suspectDay)
}

// suspectedTold reports whether callers are told of the suspicion.
func (w *work) suspectedTold() bool { return w.suspicion.Answers >= suspectAnswers }

// awaitSuspect sets when a suspected credential asks again: wait from now for its own part, and
// it looks now and then whether another of its group has healed.
func (m *machine) awaitSuspect(t *turn, wait time.Duration) {
	w := m.work
	w.suspectDue = after(t.now, sum(wait, portion(wait/4, t.dice)))
	w.retry = min(w.suspectDue, m.nextLook(t))
}

func (m *machine) nextLook(t *turn) int64 {
	return after(t.now, suspectLook/2+portion(suspectLook/2, t.dice))
}

// resumeSuspicion goes on with a stored suspicion where it was left.
func (m *machine) resumeSuspicion(t *turn, s Suspicion) {
	w := m.work
	if s.IsZero() || s.Last.Before(w.suspicion.Last) || s == w.suspicion {
		return
	}
	w.suspicion = s
	if m.set.reader {
		return
	}
	wait := s.wait(0)
	if told := time.Unix(0, t.wall).Sub(s.Last); told > 0 {
		wait = max(wait-told, 0)
	}
	m.awaitSuspect(t, wait)
	w.failure, w.final = m.failure(storedReason(s.Reason), ClassSuspected), w.suspectedTold()
	w.failure.RetryAt = wallAt(t, max(w.retry, w.after, m.guard()))
}

// urge brings a suspected credential's next attempt forward, since its token has
// just expired: a minute after the last is soon enough for it to heal, and rare
// enough for the server.
func (m *machine) urge(t *turn) {
	w := m.work
	if w == nil || w.suspicion.IsZero() {
		return
	}
	soon := max(t.now, after(w.failedAt, suspectFirst))
	w.suspectDue, w.retry = min(w.suspectDue, soon), min(w.retry, soon)
}
