package manager

import (
	"errors"
	"fmt"
	"time"
)

// failed takes in the error of a refresh. Its class decides whether the mark stays, and
// when the next attempt begins.
func (m *machine) failed(t *turn, err error) {
	w := m.work
	v := m.judge(t, err)
	spends := m.refreshable()
	p := &m.set.policy
	wait := p.retry(w.failures+1, t.dice)
	if v.class != ClassConfiguration {
		w.misconfigured = 0
	}
	w.failedAt, w.waitOut = t.now, false
	if v.after > 0 && v.class != ClassFinal && v.class != ClassConfiguration {
		w.after = after(t.now, min(v.after, maxRetryAfter))
		w.dirty = w.dirty || spends && m.set.durable
	}
	w.final = false
	switch v.class {
	case ClassFinal:
		m.refuse(t, err, spends)
		return
	case ClassConfiguration:
		w.misconfigured++
		wait = double(permanentWait, permanentMost, w.misconfigured)
		w.final = true
		m.unmark(t)
	case ClassSuspected:
		m.unmark(t)
		if spends { // also for Retry, siblings and restarts: the words may be a gateway's
			w.after = max(w.after, after(t.now, sum(time.Duration(t.now-w.sentAt), quietMargin)))
		}
		m.backOff(t, err, v.class, 0)
		return
	case ClassAnswered:
		m.markAnswered(t)
	case ClassNotSent:
		m.unmark(t)
	}
	m.backOff(t, err, v.class, wait)
}

// judge reads the marks of err. An answer that came late is no answer: it is a
// gateway's, which has given up waiting for a server that may still be at work.
func (m *machine) judge(t *turn, err error) verdict {
	v := judge(err)
	if v.class == ClassAnswered && m.refreshable() && t.now-m.work.sentAt > int64(slowAnswer) {
		v.class = ClassUnknown
	}
	return v
}

// putOff backs off from a renewal that could not even be sent.
func (m *machine) putOff(t *turn, err error) {
	m.work.final = false
	m.backOff(t, err, ClassNotSent, m.set.policy.retry(m.work.failures+1, t.dice))
}

func (m *machine) backOff(t *turn, err error, class Class, wait time.Duration) {
	w := m.work
	w.failures++
	w.retry = after(t.now, wait)
	told := false
	if class == ClassSuspected {
		told = w.suspectedTold()
		m.awaitSuspect(t, m.suspect(t, err))
		told = !told && w.suspectedTold()
		w.final = w.suspectedTold()
	}
	w.failure = m.failure(err, class)
	w.failure.RetryAt = wallAt(t, max(w.retry, w.after, m.guard()))
	m.resolve(w.failure)
	t.emit(event{Event{Kind: EventRefreshFailed, Attempt: uint64(m.attempt), Generation: m.generation(),
		RetryAt: w.failure.RetryAt, Class: class, Err: err}})
	if told {
		t.emit(event{Event{Kind: EventLoginSuspected, Attempt: uint64(m.attempt), Generation: m.generation(),
			RetryAt: w.failure.RetryAt, Class: class, Err: w.failure}})
	}
}

// unmark takes the mark away in memory, and owes the store the same. That of a guarded
// try stays, for the first try is still in doubt; but nothing is under way any more.
func (m *machine) unmark(t *turn) {
	w := m.work
	switch {
	case w.mark.IsZero() || !w.mark.same(w.nextMark): // none, or a sibling's, of which a login that met a conflict brought news
	case w.mark.Guarded:
		m.markAnswered(t)
		w.quiet, w.quietUsable = t.now, t.now
	default:
		w.mark = Mark{}
		w.dirty = m.set.durable
	}
}

// markAnswered notes at the mark that the server has answered, and owes the store the
// same, so that neither a restart nor a sibling opens a quiet time for it.
func (m *machine) markAnswered(t *turn) {
	w := m.work
	if w.mark.IsZero() || !w.mark.same(w.nextMark) {
		return
	}
	full := after(w.sentAt, sum(m.set.policy.markLimit(), quietMargin))
	w.mark.Answered, w.mark.Limit = true, time.Duration(t.now-w.sentAt)
	w.dirty = m.set.durable
	m.beginQuiet(t)
	w.quietUsable = max(w.quiet, full)
}

// refuse stops sending until a login. Where a refresh token was refused that is stored
// before callers hear of it, so that a sibling's newer token comes first.
func (m *machine) refuse(t *turn, err error, spends bool) {
	w := m.work
	r := Refusal{Asker: m.set.asker, At: time.Unix(0, t.wall), Reason: err.Error(), Lost: spends && w.mark.Guarded}
	m.unmark(t) // after a guarded try it stays, beside the refusal: another asker has to guard its try too
	w.suspicion = Suspicion{}
	w.failure = m.failure(err, ClassFinal)
	w.failure.Lost = r.Lost
	if !spends {
		w.mark = Mark{}
		w.barred = w.failure
		m.say(t, EventRefused, w.failure)
		return
	}
	w.refusals = withRefusal(w.refusals, r)
	if !m.set.durable {
		m.say(t, EventRefused, w.failure)
		return
	}
	w.dirty = true
	m.phase = storing
	m.saveState(t)
}

// withRefusal returns a copy of all with r in the place of its asker's, the newest last.
// Of more askers than are kept the one that was refused first has to ask again.
func withRefusal(all []Refusal, r Refusal) []Refusal {
	kept := make([]Refusal, 0, len(all)+1)
	for _, other := range all {
		if other.Asker != r.Asker {
			kept = append(kept, other)
		}
	}
	kept = append(kept, r)
	return kept[max(0, len(kept)-MaxRefusals):]
}

// failure is a RefreshError about the current token.
func (m *machine) failure(err error, class Class) *RefreshError {
	e := &RefreshError{Credential: m.name, Attempt: uint64(m.attempt), Generation: m.generation(), Class: class, Err: err}
	if class != ClassFinal && m.work.suspectedTold() { // whatever else is in the way
		e.Since = m.work.suspicion.Since
	}
	return e
}

// waitedForItself reports whether the Refresher's error is what those were told who waited
// for the very refresh: it asked for the credential's token, without the ctx it was given.
func (m *machine) waitedForItself(err error) bool {
	told, ok := errors.AsType[*RefreshError](err)
	return ok && told.Credential == m.name && told.Attempt == uint64(m.attempt) && errors.Is(told.Err, ErrTimeLimit)
}

// storedReason is the error of a refusal or suspicion that was read from the store.
type storedReason string

func (e storedReason) Error() string { return string(e) }

// notSaved makes a store's error match ErrNotSaved.
func notSaved(err error) error { return fmt.Errorf("%w: %w", ErrNotSaved, err) }

var (
	errRetryAfter      = errors.New("the server asked to wait (Retry-After)")
	errSameToken       = errors.New("the server gave out the same token again, and will be asked later")
	errLoggedOut       = errors.New("logged out")
	errOwnRefresh      = errors.New("manager: a refresh cannot wait for the token it is to bring: use the one it was given (see Credential.Refreshing)")
	errWaitedForItself = fmt.Errorf("%w: it waited for the token that it was to bring; make its requests with the ctx that Refresh was called with", ErrTimeLimit)
	errShortLease      = errors.New("manager: the lease ends too soon: it has to outlive Policy.Limit and Config.SaveLimit by a second")
	errSaveLimit       = errors.New("manager: the store exceeded Config.SaveLimit")
)

// unknown ends the program: the sets of messages and effects are closed.
func unknown(what string, x any) { panic(fmt.Sprintf("manager: unknown %s %T", what, x)) }
