package manager

import (
	"errors"
	"time"
)

// A control is an Install, or for a nil token a Forget.
type control struct {
	ticket ticket
	token  *Token
}

// control begins the first login or logout in line. It takes no lease and waits
// for no refresh: it counts Login up, and so wins over whatever answer comes.
func (m *machine) control(t *turn) {
	w := m.work
	c := w.controls[0]
	if m.phase != sending {
		m.abandon(t)
	}
	next := &Token{}
	if c.token != nil {
		next = c.token.keep()
	}
	wall := time.Unix(0, t.wall)
	if next.ExpiresIn == 0 && !next.Expiry.IsZero() {
		next.ExpiresIn = next.Expiry.Sub(wall)
	}
	if c.token != nil {
		m.set.policy.bound(next, wall)
	}
	next.datum(wall)
	w.login = next
	m.number()
	if !m.set.durable {
		m.loggedIn(t, nil)
		return
	}
	m.saveLogin(t)
}

func (m *machine) saveLogin(t *turn) {
	m.save(t, forLogin, Snapshot{Token: *m.work.login}, false)
}

// number makes the login, or logout, newer than what we have. A logout counts as
// a generation too: of two that are numbered alike, only one was ever stored.
func (m *machine) number() {
	next := m.work.login
	next.login, next.generation = 1, 1
	if m.token != nil {
		next.login, next.generation = m.token.login+1, m.token.generation+1
	}
}

func (m *machine) loginSaved(t *turn, err error) {
	switch {
	case err == nil:
		m.revision++
		m.loggedIn(t, nil)
	case errors.Is(err, ErrConflict):
		m.load(t, forLoginCheck)
	default:
		m.loggedIn(t, err)
	}
}

// loginChecked repeats the compare-and-swap until it is won.
func (m *machine) loginChecked(t *turn, s *Snapshot, err error) {
	if err != nil {
		m.loggedIn(t, err)
		return
	}
	m.adopt(t, s) // not its revision alone: should our save fail, ours is the old token still
	m.number()
	m.saveLogin(t)
}

// loggedIn makes the login the current state, stored or not, and answers its
// caller. With FailClosed one that is not stored does not count.
func (m *machine) loggedIn(t *turn, err error) {
	w := m.work
	c, next := w.controls[0], w.login
	w.controls, w.login = w.controls[1:], nil
	if err != nil {
		m.say(t, EventSaveFailed, err)
		err = notSaved(err)
	}
	if err == nil || !m.set.policy.FailClosed {
		before := m.token
		m.clear()
		m.take(t, next, next.leftAt(t.wall))
		m.resolveWith()
		m.source = SourceLogin
		if w.unstored = nil; err != nil {
			w.unsaved, w.unstored = true, next
		}
		if c.token != nil {
			m.say(t, EventInstalled, nil)
		} else {
			m.say(t, EventForgotten, nil)
			m.revoke(t, before)
		}
	}
	if err != nil && w.unsaved {
		w.saves++
		w.saveRetry = after(t.now, m.set.policy.retry(w.saves, t.dice))
	}
	t.emit(reply{c.ticket, m.token, err})
}

// revoke ends a login at its server. Only after the logout: a login revoked first
// and then not forgotten would be refused on its next refresh.
func (m *machine) revoke(t *turn, token *Token) {
	if m.set.revoke && token != nil && !(token.AccessToken.IsZero() && token.RefreshToken.IsZero()) {
		t.emit(revoke{token})
	}
}

func (m *machine) revoked(t *turn, err error) {
	if err != nil {
		m.say(t, EventRevokeFailed, err)
	} else {
		m.say(t, EventRevoked, nil)
	}
}

// leave lets the credential go: nothing new is begun, a refresh that spends a
// refresh token is finished and saved, callers are told err.
func (m *machine) leave(t *turn, err error) {
	w := m.doing()
	w.leaving = err
	m.hide(t)
	if w.purpose == forStart || w.purpose == forNews {
		w.purpose = forNothing // its answer is of no interest any more
	}
	for i, c := range w.controls {
		if i > 0 || w.login == nil {
			t.emit(reply{c.ticket, nil, err})
		}
	}
	if w.login != nil {
		w.controls = w.controls[:1]
	} else {
		w.controls = nil
	}
	if m.phase != sending {
		if m.phase != storing {
			m.abandon(t)
		}
		return
	}
	if w.parent == nil || w.parent.RefreshToken.IsZero() {
		t.emit(cancel{uint64(m.attempt)})
	}
}

// gone reports whether nothing is left to be finished after leave, and what
// could not be saved.
func (m *machine) gone() (bool, error) {
	w := m.work
	if w == nil {
		return true, nil
	}
	owed := w.unsaved || w.next != nil
	if m.phase != resting || w.purpose != forNothing || w.leased || (owed || w.dirty) && !w.lastTry {
		return false, nil
	}
	switch {
	case !owed:
		return true, nil
	case w.saveErr == nil:
		return true, ErrNotSaved
	}
	return true, notSaved(w.saveErr)
}
