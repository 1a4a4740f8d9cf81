package manager

import "time"

// refreshed takes in the answer, unless a login, a logout or a newer token came
// before it.
func (m *machine) refreshed(t *turn, msg refreshed) {
	if m.phase != sending || msg.attempt != uint64(m.attempt) {
		return
	}
	w := m.work
	if w.purpose != forNothing {
		w.late = &msg
		return
	}
	m.phase = resting
	overdue := w.overdue
	w.overdue, w.hung = false, false
	switch {
	case m.token != w.parent:
		w.failure = nil // that of the time limit, if any
		t.emit(event{Event{Kind: EventAnswerDropped, Attempt: msg.attempt, Generation: m.generation(), Err: msg.err}})
		if msg.err == nil && m.loggedOut() {
			m.revoke(t, msg.token)
		}
	case msg.err != nil && overdue && judge(msg.err) == verdict{}:
		m.failed(t, ErrTimeLimit)
	case msg.err != nil:
		m.failed(t, msg.err)
	default:
		m.succeeded(t, msg.token)
	}
	w.parent = nil
}

// succeeded installs the answer: saved first where it carries the only copy of
// a refresh token, shown first otherwise.
func (m *machine) succeeded(t *turn, answer *Token) {
	w := m.work
	next := answer.keep()
	next.datum(time.Unix(0, w.sentWall))
	rotated := m.inherit(next)
	left := m.complete(t, next)
	same := m.token.same(next)
	switch {
	case !rotated && next.AccessToken.IsZero():
		m.failed(t, ErrNoToken)
		return
	case !rotated && left < shortestLife:
		m.failed(t, Unspent(ErrBornExpired)) // an answer, and without rotation
		return
	case rotated || !same:
		next.generation++
	}
	if same && w.forRejection {
		m.barren(t)
	}
	w.next = next
	if m.set.durable && (m.set.policy.FailClosed || !next.RefreshToken.IsZero()) {
		m.phase = storing
		m.saveState(t)
		return
	}
	m.installed(t)
	w.unsaved = m.set.durable
}

// inherit keeps what the answer leaves unsaid (RFC 6749 section 6), and reports
// whether it brought a new refresh token.
func (m *machine) inherit(next *Token) (rotated bool) {
	if m.token == nil {
		next.login, next.generation = 0, 0 // whoever's token the Refresher handed on
		return !next.RefreshToken.IsZero()
	}
	prev := m.token
	next.login, next.generation = prev.login, prev.generation
	if next.RefreshToken.IsZero() {
		next.RefreshToken = prev.RefreshToken
	}
	rotated = !next.RefreshToken.Equal(prev.RefreshToken)
	if !rotated && next.RefreshExpiry.IsZero() {
		next.RefreshExpiry = prev.RefreshExpiry
	}
	if next.Scope == "" {
		next.Scope = prev.Scope
	}
	return rotated
}

// complete fills in Expiry and ExpiresIn of an answer, counted from the sending,
// and returns what is left of its life.
func (m *machine) complete(t *turn, next *Token) time.Duration {
	sent := time.Unix(0, m.work.sentWall)
	switch {
	case next.ExpiresIn != 0:
	case !next.Expiry.IsZero():
		if next.ExpiresIn = next.Expiry.Sub(sent); next.ExpiresIn == 0 {
			next.ExpiresIn = -1
		}
	case m.token != nil && m.token.ExpiresIn > 0:
		next.ExpiresIn = m.token.ExpiresIn // the last life known
	default:
		return never
	}
	next.Expiry = sent.Add(next.ExpiresIn)
	return next.ExpiresIn - time.Duration(t.now-m.work.sentAt)
}

// installed makes the answer the current token.
func (m *machine) installed(t *turn) {
	w := m.work
	next, before := w.next, m.token
	left := time.Duration(never)
	if next.ExpiresIn != 0 {
		left = next.ExpiresIn - time.Duration(t.now-w.sentAt)
	}
	forRejection, failures := w.forRejection, w.failures
	m.clear()
	usable := m.take(t, next, left)
	m.source = SourceRefresh
	t.emit(event{Event{Kind: EventRefreshed, Attempt: uint64(m.attempt), Generation: next.generation}})
	switch {
	case !usable:
		w.failures = failures // a server that goes on like that is asked ever more seldom
		m.failed(t, ErrBornExpired)
	case before.same(next) && m.due <= t.now:
		w.retry = after(t.now, m.set.policy.backoffMax()) // the server will not give out another one yet
	case forRejection && !before.same(next):
		w.born = t.now
	}
}

// clear forgets what stood in the way: a token was installed.
func (m *machine) clear() {
	w := m.work
	w.next, w.mark, w.nextMark, w.refusal, w.failure = nil, Mark{}, Mark{}, Refusal{}, nil
	w.failures, w.doubts, w.retry, w.quiet, w.final = 0, 0, 0, 0, false
	w.forRejection, w.born, w.dirty, w.unsaved = false, 0, false, false
}
