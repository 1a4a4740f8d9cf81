package manager

import (
	"errors"
	"fmt"
	"time"
)

// failed takes in the error of a refresh. What it says about the refresh token
// decides whether the mark stays: only a verdict takes it away, and after a
// guarded try not even "unspent" does, for the first try is still in doubt.
func (m *machine) failed(t *turn, err error) {
	w := m.work
	v := judge(err)
	spends := m.refreshable()
	p := &m.set.policy
	wait := time.Duration(0)
	switch {
	case v.loginRequired:
		m.refuse(t, err, spends && w.mark.Guarded)
		return
	case v.doubtful && spends:
		if w.doubts++; w.doubts > doubtLimit {
			m.refuse(t, err, w.mark.Guarded)
			return
		}
		wait = p.backoffMax()
		m.unmark(t)
	case v.permanent:
		wait = permanentWait
		m.unmark(t)
	case v.unspent || !spends:
		wait = p.retry(w.failures+1, t.dice)
		m.unmark(t)
	default:
		wait = p.retry(w.failures+1, t.dice)
	}
	w.final = v.permanent
	m.backOff(t, err, max(wait, min(v.after, maxRetryAfter)))
}

// putOff backs off from a renewal that could not even be sent.
func (m *machine) putOff(t *turn, err error) {
	m.work.final = false
	m.backOff(t, err, m.set.policy.retry(m.work.failures+1, t.dice))
}

func (m *machine) backOff(t *turn, err error, wait time.Duration) {
	w := m.work
	w.failures++
	w.retry = after(t.now, wait)
	w.failure = m.failure(err)
	w.failure.RetryAt = wallAt(t, max(w.retry, m.guard()))
	t.emit(event{Event{Kind: EventRefreshFailed, Attempt: uint64(m.attempt), Generation: m.generation(),
		RetryAt: w.failure.RetryAt, Err: err}})
}

// unmark takes the mark away in memory, and owes the store the same.
func (m *machine) unmark(t *turn) {
	w := m.work
	switch {
	case w.mark.IsZero():
	case w.mark.Guarded:
		w.quiet = t.now // this try is over, and the quiet time of the first had passed
	default:
		w.mark = Mark{}
		w.dirty = m.set.durable
	}
}

// refuse stops sending until a login. The refusal is stored before callers hear
// of it, so that a sibling's newer token comes first.
func (m *machine) refuse(t *turn, err error, lost bool) {
	w := m.work
	w.mark = Mark{}
	w.refusal = Refusal{At: time.Unix(0, t.wall), Reason: err.Error(), Lost: lost}
	w.failure = m.failure(err)
	w.failure.Lost = lost
	if !m.set.durable {
		m.say(t, EventRefused, m.refused())
		return
	}
	w.dirty = true
	m.phase = storing
	m.saveState(t)
}

// failure is a RefreshError about the current token. Without a RetryAt it says
// that only a login helps.
func (m *machine) failure(err error) *RefreshError {
	return &RefreshError{Credential: m.name, Attempt: uint64(m.attempt), Generation: m.generation(), Err: err}
}

// storedRefusal is the error of a refusal that was read from the store.
type storedRefusal string

func (e storedRefusal) Error() string { return string(e) }

// notSaved makes a store's error match ErrNotSaved.
func notSaved(err error) error { return fmt.Errorf("%w: %w", ErrNotSaved, err) }

var (
	errNoRefresher = errors.New("the credential has no Refresher")
	errLoggedOut   = errors.New("logged out")
	errOwnRefresh  = errors.New("manager: a refresh cannot wait for the token it is to bring: use the one it was given (see Credential.Refreshing)")
	errShortLease  = errors.New("manager: the lease ends too soon: it has to outlive Policy.Limit and Config.SaveLimit by a second")
	errSaveLimit   = errors.New("manager: the store exceeded Config.SaveLimit")
)

// unknown ends the program: the sets of messages and effects are closed.
func unknown(what string, x any) { panic(fmt.Sprintf("manager: unknown %s %T", what, x)) }
