package manager

import "time"

// take makes token, of which left is left, the current one, publishes it if it
// is usable, and reports whether it is.
func (m *machine) take(t *turn, token *Token, left time.Duration) (usable bool) {
	before := m.token
	m.token = token
	refreshIn := token.RefreshIn
	if token.ExpiresIn > 0 && refreshIn > 0 {
		refreshIn = max(refreshIn-(token.ExpiresIn-left), 1)
	}
	life := left
	if token.ExpiresIn > 0 {
		life = token.ExpiresIn
	}
	switch {
	case m.loggedOut():
		m.usable, m.due = t.now, never
	case token.AccessToken.IsZero() || left < shortestLife || token.foreign(m.set.asks):
		m.usable, m.due = t.now, t.now
	default:
		at := m.set.policy.schedule(t.moment, left, life, refreshIn)
		m.usable, m.due = at.usable, min(at.due, m.lastChance(t, before))
	}
	if m.set.reader {
		m.due = never
	}
	m.foresee(t, before)
	if t.now >= m.usable || m.doing().leaving != nil {
		m.hide(t)
		return t.now < m.usable
	}
	m.published, m.parked = true, false
	t.emit(publish{token})
	return true
}

// expire ends what has come to its time: the token at expiry - skew, and with
// Policy.Idle its being read unnoticed.
func (m *machine) expire(t *turn) {
	if !m.published {
		return
	}
	if t.now >= m.usable {
		if m.parked {
			m.due = never // nobody wants it
		}
		m.hide(t)
		m.say(t, EventExpired, nil)
		if w := m.work; w != nil && w.mark.Answered && w.misconfigured == 0 { // while it was usable there was no hurry: the back-off begins anew
			w.failures = 0
			w.retry = min(w.retry, after(t.now, m.set.policy.retry(1, t.dice)))
		}
		m.urge(t)
		return
	}
	if t.now >= m.parkTime() {
		m.parked = true
		t.emit(withdraw{})
	}
}

// parkTime is when the token is hidden so that its next reader is noticed: Idle
// before its renewal. One that nobody has asked for by then is not renewed. So
// the hot path carries no note of who reads.
func (m *machine) parkTime() int64 {
	idle := int64(m.set.policy.Idle)
	if idle <= 0 || m.parked || m.due == never || m.read >= m.due-idle {
		return never
	}
	return m.due - idle
}

// asleep puts off the renewal of a token that nobody reads.
func (m *machine) asleep(t *turn) bool {
	if !m.parked || t.now-m.read < int64(m.set.policy.Idle) {
		return false
	}
	m.due = never
	return true
}

// woken shows a parked token again: somebody asked for it.
func (m *machine) woken(t *turn) {
	m.read = t.now
	if !m.parked {
		return
	}
	m.parked = false
	if m.due == never { // asleep had put it off
		m.due = t.now
	}
	t.emit(publish{m.token})
}

// hide takes the token from its readers.
func (m *machine) hide(t *turn) {
	if m.published && !m.parked {
		t.emit(withdraw{})
	}
	m.published, m.parked = false, false
}

// showDeadline is the earliest of expire's.
func (m *machine) showDeadline() int64 {
	if !m.published {
		return never
	}
	return min(m.usable, m.parkTime())
}

// foresee sets when to warn that a refresh token dies. Of one that was not known
// before, that is before the last tenth of its life, and at most a week before its
// end. A rotated one with the same end dies with the one before.
func (m *machine) foresee(t *turn, before *Token) {
	end := m.token.RefreshExpiry
	switch {
	case end.IsZero():
		m.dying = 0
	case before == nil || !before.RefreshExpiry.Equal(end):
		left := end.Sub(time.Unix(0, t.wall))
		at := after(t.now, left-min(left/10, maxWarning))
		m.dying = uint32(max(at-1, int64(time.Second)) / int64(time.Second)) // machine time begins with 1
	}
}

// lastChance is when a refresh token has to be used that dies before the access token is
// due, never otherwise. Where the last answer has not put its end off, another will not
// either: then it is not used again for that, and EventDying has said so. That of a token at rest
// (Policy.Idle) dies: nobody wants it.
func (m *machine) lastChance(t *turn, before *Token) int64 {
	next := m.token
	left := next.RefreshExpiry.Sub(time.Unix(0, t.wall))
	window, ok := m.set.policy.window(left)
	if next.RefreshToken.IsZero() || next.RefreshExpiry.IsZero() || left <= 0 || !ok {
		return never
	}
	if before != nil && before.login == next.login && !before.RefreshExpiry.IsZero() {
		gained, passed := next.RefreshExpiry.Sub(before.RefreshExpiry), time.Duration(never)
		if before.ExpiresIn > 0 {
			passed = time.Unix(0, t.wall).Sub(before.Expiry.Add(-before.ExpiresIn))
		}
		if gained < 2*time.Second && gained < passed/2 {
			return never
		}
	}
	opens := left - window
	return after(t.now, opens-m.set.policy.early(min(window, opens), t.dice))
}

// warnDeadline is when warn has something to say.
func (m *machine) warnDeadline() int64 {
	if m.dying == 0 {
		return never
	}
	return int64(m.dying)*int64(time.Second) + 1
}

// warn says, once for each refresh token, that it dies soon.
func (m *machine) warn(t *turn) {
	if t.now >= m.warnDeadline() {
		m.dying = 0
		m.say(t, EventDying, nil)
	}
}
