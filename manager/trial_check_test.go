package manager

import (
	"errors"
	"slices"
	"time"
)

// begin checks a refresh that is to be sent (invariants 1, 8 and 9).
func (t *trial) begin(e refresh, unmarked bool) {
	if t.flight != nil {
		t.fail("refresh %d while %d has not returned", e.attempt, t.flight.attempt)
	}
	if !t.slot {
		t.fail("refresh %d without a slot", e.attempt)
	}
	if t.leaving {
		t.fail("refresh %d after leave", e.attempt)
	}
	if t.set.reader {
		t.fail("a reader sends refresh %d", e.attempt)
	}
	if !t.begun {
		t.fail("refresh %d has not gone through its group's outlook", e.attempt)
	}
	if w := t.wait; w.until > t.now && w.prev != nil && e.prev != nil && w.prev.AccessToken.Equal(e.prev.AccessToken) && w.prev.RefreshToken.Equal(e.prev.RefreshToken) && !w.prev.AccessToken.IsZero() {
		t.fail("refresh %d is sent %v before its Retry-After is over", e.attempt, time.Duration(w.until-t.now))
	}
	t.begun, t.forced = false, len(t.retries) > 0
	t.flight = &e
	if e.prev == nil || e.prev.RefreshToken.IsZero() {
		return
	}
	if left := t.lease - t.now; t.set.leased && t.lease >= 0 && left < int64(t.set.policy.limit()+t.set.saveLimit+leaseMargin) {
		t.fail("refresh %d under a lease that ends in %v", e.attempt, time.Duration(left))
	}
	guarded := t.machine.work.mark.Guarded
	if m := t.stored.Mark; t.set.durable && !unmarked {
		if m.Owner != t.set.owner || m.Attempt != e.attempt || m.Login != e.prev.login || m.Generation != e.prev.generation {
			t.fail("refresh %d spends a refresh token under the mark %+v", e.attempt, m)
		}
		if t.refusedUs(&t.stored) && !t.forced {
			t.fail("refresh %d: the store says that it was refused to our asker", e.attempt)
		}
		if m.Guarded != guarded {
			t.fail("refresh %d: guarded is %t, and %t in the mark", e.attempt, guarded, m.Guarded)
		}
	}
	secret := e.prev.RefreshToken.Reveal()
	t.everSent[secret] = true
	before := t.sent[secret]
	over := t.now + int64(t.set.policy.limit()+quietMargin)
	t.sent[secret] = &sentToken{at: t.now, over: over, marked: t.set.durable && !unmarked, guarded: guarded}
	if before == nil || before.elsewhere && unmarked { // the store could not be asked
		return
	}
	switch {
	case before.refused && !t.forced:
		t.fail("%s was refused and is sent again", secret)
	case before.refused && t.forcedEnd > 0 && t.now < t.forcedEnd+int64(t.set.policy.backoff()):
		t.fail("%s was refused, and is sent again on purpose %v after the last time", secret, time.Duration(t.now-t.forcedEnd))
	case before.refused:
	case before.spent:
		t.fail("%s is spent and is sent again", secret)
	case !guarded:
		t.fail("%s is sent again, unguarded", secret)
	case t.now < before.over:
		t.fail("%s is sent again %v before the first request is over", secret, time.Duration(before.over-t.now))
	}
}

// publish checks a token that is shown (invariants 6 and 8).
func (t *trial) publish(token *Token) {
	w := t.machine.work
	switch {
	case t.leaving:
		t.fail("a token is published after leave")
	case t.last != nil && !t.unstored && (token.login < t.last.login || token.login == t.last.login && token.generation < t.last.generation):
		t.fail("(%d, %d) is published after (%d, %d)", token.login, token.generation, t.last.login, t.last.generation)
	case token.foreign(t.set.asks):
		t.fail("generation %d, which was asked for something else, is published", token.generation)
	case t.set.durable && !token.RefreshToken.IsZero() && (w == nil || !w.unsaved) &&
		t.stored.compare(token) < 0:
		t.fail("generation %d is published before it is stored", token.generation)
	}
	t.shown, t.last, t.unstored = token, token, t.unstored && w != nil && w.unsaved
}

// reply checks an answer (invariants 4 and 5).
func (t *trial) reply(e reply) {
	rejected, ok := t.open[e.ticket]
	if !ok {
		t.fail("ticket %d is answered, but nobody waits", e.ticket)
	}
	delete(t.open, e.ticket)
	t.outcomes[e.ticket] = e.err == nil || errors.Is(e.err, ErrLoginRequired)
	if e.err != nil {
		t.checkReason(e)

		if e.err.Error() == "" {
			t.fail("ticket %d gets an empty error", e.ticket)
		}
		if r, ok := errors.AsType[*RefreshError](e.err); ok && !r.RetryAt.IsZero() && r.RetryAt.Before(t.wall()) {
			t.fail("ticket %d is told to try again at %v, which has passed", e.ticket, since(r.RetryAt))
		}
	}
	delete(t.retries, e.ticket)
	delete(t.patient, e.ticket)
	if _, ok := t.logins[e.ticket]; ok {
		delete(t.logins, e.ticket)
		t.unstored = e.err != nil // it gives way to any that is stored
		if e.err == nil && t.set.durable && t.stored.compare(e.token) < 0 {
			t.fail("login %d is acknowledged and not stored", e.token.login)
		}
		return
	}
	switch {
	case (e.token == nil) == (e.err == nil):
		t.fail("ticket %d gets token %v and error %v", e.ticket, e.token, e.err)
	case e.token == nil:
	case e.token.same(rejected):
		t.fail("ticket %d gets the token that it rejected", e.ticket)
	case e.token != t.shown:
		t.fail("ticket %d gets a token that is not published", e.ticket)
	}
}

// check is what holds after every step (invariants 6 and 13).
func (t *trial) check() {
	m := &t.machine
	if s := t.shown; s != nil && !s.Expiry.IsZero() {
		if end := s.Expiry.Add(-t.set.policy.skew(s.ExpiresIn)); !t.wall().Before(end) {
			t.fail("generation %d is published %v past its time", s.generation, t.wall().Sub(end))
		}
	}
	if (t.shown != nil) != (m.published && !m.parked) {
		t.fail("published is %t, parked %t, and shown %v", m.published, m.parked, t.shown)
	}
	if m.phase == resting && (t.slot || t.queued || t.locking) || m.phase == locking && t.slot {
		t.fail("phase %d with slot %t, queued %t, locking %t", m.phase, t.slot, t.queued, t.locking)
	}
	if w := m.work; w == nil || w.purpose == forNothing {
		t.giveUp() // past its limit
	}
	t.checkWaiting()
	if (m.phase == sending && m.work.late == nil) != (t.flight != nil) {
		t.fail("phase %d, and in flight is %v", m.phase, t.flight)
	}
}

// checkReason checks the error that a caller is told.
func (t *trial) checkReason(e reply) {
	m, w := &t.machine, t.machine.work
	if w == nil {
		w = &work{}
	}
	r, ok := errors.AsType[*RefreshError](e.err)
	if !ok || w.leaving != nil {
		return
	}
	if errors.Is(e.err, ErrQuietTime) && (w.mark.IsZero() || r.RetryAt.IsZero() && m.usable != never || t.set.reader) {
		t.fail("ticket %d is told of a quiet time, without one: mark %t", e.ticket, !w.mark.IsZero())
	}
	told, retry := t.retries[e.ticket]
	if retry && r.Class == ClassFinal && told.returned == t.returned && told.token == m.token && !t.set.reader &&
		t.now >= w.forcedUntil && t.now >= w.after && (m.work == nil || t.now >= m.guard()) {
		t.fail("ticket %d is told of an old refusal, which it was to override", e.ticket)
	}
	if w.suspectedTold() && r.Class != ClassFinal && !retry && !t.set.reader && m.phase == resting && !errors.Is(e.err, ErrLoginSuspected) {
		t.fail("ticket %d is not told of the suspicion: %v", e.ticket, e.err)
	}
}

// checkWrite checks what this process writes over what is stored.
func (t *trial) checkWrite(s *Snapshot) {
	before := &t.stored
	same := s.Token.RefreshToken.Equal(before.Token.RefreshToken) && s.Login == before.Login
	if t.wide && s.Token.RefreshToken.IsZero() && (len(s.Refusals) > 0 || !s.Suspicion.IsZero() || !s.RetryAt.IsZero() || !s.Mark.IsZero()) {
		t.fail("of what can be had again something is remembered: %s", describeSnapshot(s))
	}
	if secret := s.Token.RefreshToken.Reveal(); !t.everSent[secret] {
		switch {
		case t.refusedUs(s) && !(same && t.refusedUs(before)):
			t.fail("a refusal of %s is stored, which was not sent", secret)
		case !s.Suspicion.IsZero() && !(same && !before.Suspicion.IsZero()):
			t.fail("a suspicion of %s is stored, which was not sent", secret)
		}
	}
	if len(s.Refusals) > MaxRefusals {
		t.fail("%d refusals are stored", len(s.Refusals))
	}
	for _, r := range before.Refusals {
		has := func(other Refusal) bool { return other.Asker == r.Asker }
		if same && !s.Token.RefreshToken.IsZero() && r.Asker != t.set.asker && len(s.Refusals) < MaxRefusals && !slices.ContainsFunc(s.Refusals, has) {
			t.fail("the refusal of asker %d is lost", r.Asker)
		}
	}
	if until := before.RetryAt; same && !until.IsZero() && t.machine.phase == storing && s.Mark.same(t.machine.work.nextMark) && !s.Mark.same(before.Mark) {
		if at := time.Unix(0, storyWall+t.retryDates[until.UnixNano()]).Add(maxRetryAfter); until.After(at) {
			until = at
		}
		if t.wall().Before(until) {
			t.fail("a mark is stored %v before the stored Retry-After is over", until.Sub(t.wall()))
		}
	}
	// A refresh never takes the place of a login (invariant 10).
	if s.Login > 0 && s.Login == before.Login && t.lineageOf(&s.Token) != t.lineageOf(&before.Token) {
		t.fail("a token of login %d takes the place of another login of that number", s.Login)
	}
}

// checkShown checks what became of the token that was shown before this step: it is
// withdrawn only because it was rejected, or has no time left, or something newer came.
func (t *trial) checkShown(before *Token, msg message) {
	m := &t.machine
	if before == nil || t.shown != nil || m.parked || t.leaving || !m.loaded || t.now >= m.usable || !m.token.same(before) {
		return
	}
	if msg, ok := msg.(ask); ok && before.same(msg.rejected) {
		return
	}
	for _, rejected := range t.open {
		if before.same(rejected) {
			return
		}
	}
	t.fail("generation %d is withdrawn, and could be used for another %v", before.generation, time.Duration(m.usable-t.now))
}

// checkWaiting: who is not patient does not wait through back-off, but for the last
// second of a token that its server gives to all.
func (t *trial) checkWaiting() {
	m, w := &t.machine, t.machine.work
	if w == nil || !m.loaded || m.phase != resting || w.purpose != forNothing || w.leaving != nil || len(w.controls) > 0 {
		return
	}
	most := t.now
	if w.waitOut {
		most += int64(lastMoment + 2*time.Second)
	}
	start := m.start()
	for n := range t.open {
		if start > most && !t.patient[n] {
			t.fail("ticket %d waits for %v", n, time.Duration(start-t.now))
		}
	}
}

// settled is what holds in the end, when everything was answered well and time
// has passed.
func (t *trial) settled() {
	m := &t.machine
	switch {
	case len(t.open) > 0 && !(t.set.reader && t.onlyPatient()):
		t.fail("tickets %v are never answered", t.open)
	case t.lease != 0 || t.locking:
		t.fail("the lease is kept for nothing")
	case t.slot || t.queued || t.flight != nil:
		t.fail("slot %t, queued %t, in flight %v for nothing", t.slot, t.queued, t.flight)
	}
	if t.leaving {
		if gone, _ := m.gone(); !gone {
			t.fail("it never goes")
		}
		return
	}
	if w := m.work; w != nil && (w.unsaved || w.dirty || w.next != nil) {
		t.fail("something is never saved")
	}
	if w := m.work; w != nil && !w.suspicion.IsZero() && t.healed || !t.stored.Suspicion.IsZero() && t.healed && m.token != nil && t.stored.compare(m.token) == 0 {
		t.fail("a suspicion outlives a success")
	}
	if t.set.durable && m.loaded && m.token != nil && t.stored.compare(m.token) < 0 {
		t.fail("the store has (%d, %d), the machine (%d, %d)", t.stored.Login, t.stored.Generation, m.token.login, m.token.generation)
	}
}
