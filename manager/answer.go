package manager

import (
	"fmt"
	"slices"
	"time"
)

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
	forces := w.forces
	told := told{failed: w.failedAt}
	if msg.err != nil {
		v := m.judge(t, msg.err)
		told.class, told.err, told.after = v.class, msg.err, v.after
	} else {
		told.healed = !w.suspicion.IsZero() && !msg.token.AccessToken.IsZero()
	}
	t.emit(told)
	switch {
	case m.token != w.parent:
		w.failure = nil // that of the time limit, if any
		w.forced = m.retried() && !w.resolved
		t.emit(event{Event{Kind: EventAnswerDropped, Attempt: msg.attempt, Generation: m.generation(), Err: msg.err}})
		if msg.err == nil && m.loggedOut() {
			m.revoke(t, msg.token)
		}
	case msg.err != nil && m.waitedForItself(msg.err) && judge(msg.err) == verdict{class: ClassUnknown}:
		m.failed(t, errWaitedForItself)
	case msg.err != nil && overdue && judge(msg.err) == verdict{class: ClassUnknown}:
		m.failed(t, ErrTimeLimit)
	case msg.err != nil:
		m.failed(t, msg.err)
	default:
		m.succeeded(t, msg.token)
	}
	w.parent = nil
	if forces > 0 {
		p := &m.set.policy
		w.forcedUntil = after(t.now, double(p.backoff(), p.backoffMax(), forces))
	}
}

// succeeded installs the answer: saved first where it carries the only copy of
// a refresh token, shown first otherwise.
func (m *machine) succeeded(t *turn, answer *Token) {
	w := m.work
	next := answer.keep()
	next.datum(time.Unix(0, w.sentWall))
	next.asked = m.set.asks
	rotated := m.inherit(next)
	left := m.complete(t, next)
	same := m.token.same(next)
	spoiled := next.unsendable()
	switch {
	case !rotated && next.AccessToken.IsZero():
		m.failed(t, ErrNoToken)
		return
	case !rotated && spoiled != nil: // an answer, and without rotation: nothing is lost
		m.failed(t, NotSent(spoiled))
		return
	case !rotated && same && !w.waitOut && left < lastMoment && left-m.set.policy.skew(next.ExpiresIn) < shortestLife:
		m.lastSecond(t, left)
		return
	case !rotated && left < shortestLife:
		m.failed(t, NotSent(m.bornExpired(next, left)))
		return
	case spoiled != nil:
		m.salvage(next, spoiled)
	case rotated && left-m.set.policy.skew(next.ExpiresIn) < shortestLife && m.published:
		m.salvage(next, m.bornExpired(next, left))
	}
	if rotated || !same {
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
	login := m.loggedOut()
	m.installed(t)
	w.unsaved = m.set.durable
	if login && m.set.durable {
		w.unstored = next
	}
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
	if m.loggedOut() { // asked again on purpose: a login
		next.login++
	}
	if next.RefreshToken.IsZero() {
		next.RefreshToken = prev.RefreshToken
	}
	rotated = !next.RefreshToken.Equal(prev.RefreshToken)
	if !rotated && next.RefreshExpiry.IsZero() {
		next.RefreshExpiry = prev.RefreshExpiry
	}
	if next.Scope == "" && !prev.foreign(m.set.asks) {
		next.Scope = prev.Scope
	}
	return rotated
}

// salvage keeps an answer of which only the refresh token, the one copy of it, is any good.
// The access token before stays in use as long as it can.
func (m *machine) salvage(next *Token, err error) {
	m.work.spoiled = err
	next.AccessToken, next.header, next.Type = Secret{}, nil, ""
	if m.published {
		before := m.token.keep()
		next.AccessToken, next.header, next.Type = before.AccessToken, before.header, before.Type
		next.Expiry, next.ExpiresIn, next.RefreshIn = before.Expiry, before.ExpiresIn, 0
	}
}

// lastSecond waits for the end of a token that its server gives out, to all who ask,
// until it expires: the next answer brings another. Callers wait, but not twice.
func (m *machine) lastSecond(t *turn, left time.Duration) {
	w := m.work
	m.unmark(t)
	w.waitOut = true
	w.retry = after(t.now, sum(max(left, 0), time.Second))
}

// waitsOut reports whether callers wait for the end of such a token, and for nothing else.
func (m *machine) waitsOut(t *turn) bool {
	return m.work.waitOut && m.start() <= after(t.now, lastMoment+time.Second)
}

// complete fills in Expiry and ExpiresIn of an answer, counted from the sending,
// and returns what is left of its life.
func (m *machine) complete(t *turn, next *Token) time.Duration {
	sent := time.Unix(0, m.work.sentWall)
	known := m.token.same(next) && !m.token.Expiry.IsZero()
	if known && next.ExpiresIn == 0 && next.Expiry.IsZero() {
		next.Expiry, next.ExpiresIn = m.token.Expiry, m.token.ExpiresIn
		return m.left(t, next)
	}
	switch {
	case next.ExpiresIn != 0:
	case !next.Expiry.IsZero():
		if next.ExpiresIn = next.Expiry.Sub(sent); next.ExpiresIn == 0 {
			next.ExpiresIn = -1
		}
	case m.set.policy.DefaultLife <= 0 && m.token != nil && m.token.ExpiresIn > 0:
		next.ExpiresIn = m.token.ExpiresIn // the last life known
	}
	m.set.policy.bound(next, sent)
	return m.left(t, next)
}

// left is what is left of the life of an answer.
func (m *machine) left(t *turn, next *Token) time.Duration {
	if next.Expiry.IsZero() {
		return never
	}
	return sum(next.Expiry.Sub(time.Unix(0, m.work.sentWall)), -time.Duration(t.now-m.work.sentAt))
}

// installed makes the answer the current token.
func (m *machine) installed(t *turn) {
	w := m.work
	next, before := w.next, m.token
	left := m.left(t, next)
	forRejection, failures, failedAt, spoiled := w.forRejection, w.failures, w.failedAt, w.spoiled
	others := m.refusalsOf(next)
	m.clear()
	w.refusals = others
	usable := m.take(t, next, left)
	m.source = SourceRefresh
	t.emit(event{Event{Kind: EventRefreshed, Attempt: uint64(m.attempt), Generation: next.generation}})
	if !usable && spoiled == nil {
		spoiled = m.bornExpired(next, left)
	}
	switch {
	case spoiled != nil:
		w.failures, w.failedAt = failures, failedAt // a server that goes on like that is asked ever more seldom
		m.failed(t, spoiled)
		return
	case before.same(next) && m.due <= t.now:
		w.retry = min(after(t.now, m.set.policy.backoffMax()), m.usable) // the server will not give out another one yet
	case forRejection && !before.same(next):
		w.born = t.now
	}
	m.resolve(nil)
}

// refusalsOf returns the refusals to others that hold for the refresh token of next, which
// was not refused to us.
func (m *machine) refusalsOf(next *Token) []Refusal {
	w := m.work
	if len(w.refusals) == 0 || m.token == nil || !next.RefreshToken.Equal(m.token.RefreshToken) {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(w.refusals), func(r Refusal) bool { return r.Asker == m.set.asker })
}

// bornExpired says why a token that has just come cannot be used.
func (m *machine) bornExpired(next *Token, left time.Duration) error {
	if left < shortestLife {
		return ErrBornExpired
	}
	return fmt.Errorf("%w: %v of its life of %v are left, less than what Policy.Skew keeps back", ErrBornExpired, left, next.ExpiresIn)
}

// clear forgets what stood in the way: a token was installed.
func (m *machine) clear() {
	w := m.work
	w.next, w.mark, w.nextMark, w.hidden, w.refusals, w.failure = nil, Mark{}, Mark{}, Mark{}, nil, nil
	w.failures, w.misconfigured, w.failedAt, w.retry, w.after, w.quiet, w.quietUsable, w.final = 0, 0, 0, 0, 0, 0, 0, false
	w.heeded = time.Time{}
	w.suspicion, w.suspectDue, w.barred, w.waitOut, w.spoiled, w.forces = Suspicion{}, 0, nil, false, nil, 0
	w.forRejection, w.born, w.dirty, w.unsaved = false, 0, false, false
}
