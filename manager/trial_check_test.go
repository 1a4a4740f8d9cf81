package manager

import (
	"errors"
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
		if m.Guarded != guarded {
			t.fail("refresh %d: guarded is %t, and %t in the mark", e.attempt, guarded, m.Guarded)
		}
	}
	secret := e.prev.RefreshToken.Reveal()
	before := t.sent[secret]
	t.sent[secret] = &sentToken{at: t.now, marked: t.set.durable && !unmarked}
	if before == nil || before.elsewhere && unmarked { // the store could not be asked
		return
	}
	quiet := before.at + int64(t.set.policy.limit()+quietMargin)
	switch {
	case before.refused:
		t.fail("%s was refused and is sent again", secret)
	case before.spent:
		t.fail("%s is spent and is sent again", secret)
	case !guarded:
		t.fail("%s is sent again, unguarded", secret)
	case t.now < quiet:
		t.fail("%s is sent again %v before the quiet time has passed", secret, time.Duration(quiet-t.now))
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
	if e.err != nil {
		if e.err.Error() == "" {
			t.fail("ticket %d gets an empty error", e.ticket)
		}
		if r, ok := errors.AsType[*RefreshError](e.err); ok && !r.RetryAt.IsZero() && r.RetryAt.Before(t.wall()) {
			t.fail("ticket %d is told to try again at %v, which has passed", e.ticket, since(r.RetryAt))
		}
	}
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
	if (m.phase == sending && m.work.late == nil) != (t.flight != nil) {
		t.fail("phase %d, and in flight is %v", m.phase, t.flight)
	}
}

// settled is what holds in the end, when everything was answered well and time
// has passed.
func (t *trial) settled() {
	m := &t.machine
	switch {
	case len(t.open) > 0:
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
	if t.set.durable && m.loaded && m.token != nil && t.stored.compare(m.token) < 0 {
		t.fail("the store has (%d, %d), the machine (%d, %d)", t.stored.Login, t.stored.Generation, m.token.login, m.token.generation)
	}
}
