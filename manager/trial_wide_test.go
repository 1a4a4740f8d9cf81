package manager

import (
	"errors"
	"time"
)

// widen makes a trial wide: its world has an asker, a kind of token or no Refresher,
// and its schedule decides over Retry, over what siblings note beside the token, over
// the group's outlook and over odd answers.
func (t *trial) widen() {
	t.wide = true
	shape := t.draw()
	if shape&1 != 0 {
		t.set.asker = 3
	}
	if shape&2 != 0 {
		t.set.asks = 70
	}
	t.set.reader = shape&12 == 12
	t.odd = shape&16 != 0
	if shape&32 != 0 {
		t.set.policy.Patience = time.Minute
	}
}

// first changes what is stored at the beginning: without a refresh token where siblings
// ask for something else.
func (t *trial) first(s *Snapshot) {
	if t.set.asks == 0 {
		return
	}
	if kind := t.draw(); kind&1 != 0 {
		s.Token.RefreshToken = Secret{}
		s.Asked = uint64(69 + kind>>1&3%3)
		t.descends(&s.Token, nil)
	}
}

// more is what a wide schedule can do beside the rest.
func (t *trial) more(kind byte) {
	if !t.wide || t.leaving {
		return
	}
	switch kind {
	case 0, 1, 2: // somebody asks again on purpose
		t.next++
		t.open[t.next] = nil
		since := retried{t.machine.token, t.returned}
		if m := &t.machine; m.phase == storing && (m.work.purpose == forState || m.work.purpose == forStateCheck) || m.phase == sending && m.work.late != nil {
			since.returned-- // the outcome that is being stored is shared
		}
		t.retries[t.next] = since
		t.step(retry{t.next})
	case 3, 4: // time passes
		t.pass(time.Duration(t.draw()) * time.Second / 8)
	case 5: // the group hears something
		t.outlook()
	default: // a long time passes
		t.pass(time.Duration(t.draw()) * time.Minute)
	}
}

// pass lets time go by, with the ticks that the machine asks for.
func (t *trial) pass(d time.Duration) {
	end := t.now + int64(d)
	for d := t.machine.deadline(); d <= end; d = t.machine.deadline() {
		t.now = max(t.now, d)
		t.ticks()
	}
	t.now = end
}

// outlook changes what others of the group know.
func (t *trial) outlook() {
	kind := t.draw()
	g := outlook{err: errOutage, class: ClassAnswered, healed: t.group.healed}
	if kind&1 != 0 {
		g.until = t.now + int64(kind>>4)*int64(time.Minute)
	}
	if kind&2 != 0 {
		g.spread = time.Minute
	}
	if kind&4 != 0 {
		g.suspects = t.now + int64(kind>>4)*int64(20*time.Second)
	}
	if kind&8 != 0 {
		g.healed = t.now
	}
	t.group = g
	t.note("-- the group: until %s suspects %s healed %s", stamp(g.until), stamp(g.suspects), stamp(g.healed))
}

// vary makes the token of a login an odd one.
func (t *trial) vary(token *Token) {
	if !t.odd || t.calm {
		return
	}
	switch kind := t.draw(); kind % 8 {
	case 0:
		token.ExpiresIn = 0
	case 1:
		token.RefreshExpiresIn = 10 * time.Minute // dies first
	case 2:
		token.RefreshExpiresIn = 30 * 24 * time.Hour
	case 3:
		token.ExpiresIn = time.Duration(kind) * 100 * time.Millisecond
	case 4:
		if !token.RefreshToken.IsZero() {
			token.AccessToken = Secret{}
		}
	}
}

// oddAnswer changes what the authorization server answers.
func (t *trial) oddAnswer(answer *refreshed, flight *refresh) {
	kind := t.draw()
	if answer.err != nil {
		if kind >= 128 {
			return
		}
		gone := errors.New("trouble")
		answer.err = []error{
			gone, Answered(gone), NotSent(gone), LoginSuspected(gone), LoginSuspected(gone), Permanent(gone), LoginRequired(gone), Answered(gone),
		}[kind&7]
		if kind&8 != 0 {
			answer.err = RetryAfter(answer.err, time.Duration(kind>>4)*17*time.Minute)
		}
		return
	}
	if !t.odd {
		return
	}
	t.vary(answer.token)
	switch kind % 8 {
	case 0: // no header can carry it
		answer.token.AccessToken = NewSecret(answer.token.AccessToken.Reveal() + "\n")
	case 1: // all who ask get the same one until its end
		if prev := flight.prev; prev != nil && !prev.AccessToken.IsZero() {
			*answer.token = Token{AccessToken: prev.AccessToken, RefreshToken: prev.RefreshToken}
		}
	case 2:
		if prev := flight.prev; prev != nil && !prev.AccessToken.IsZero() {
			*answer.token = Token{AccessToken: prev.AccessToken, RefreshToken: prev.RefreshToken, ExpiresIn: time.Duration(kind) * 10 * time.Millisecond}
		}
	case 3:
		answer.token.RefreshIn = time.Duration(kind) * time.Second
	}
}

// siblingRefused stores a refusal to another asker, or to ours.
func (t *trial) siblingRefused(s *Snapshot) {
	if s.Token.RefreshToken.IsZero() {
		return
	}
	asker := uint64(t.draw() % 7)
	if asker == t.set.asker && t.flight == nil {
		s.Mark = Mark{}
		delete(t.sent, s.Token.RefreshToken.Reveal())
	}
	t.everSent[s.Token.RefreshToken.Reveal()] = true
	s.Refusals = withRefusal(s.Refusals, Refusal{Asker: asker, At: t.wall(), Reason: "refused elsewhere"})
}

// siblingNotes stores what a sibling has to say about the same token, or a token for
// something else.
func (t *trial) siblingNotes(s *Snapshot) {
	kind := t.draw()
	r := s.Token.RefreshToken
	if r.IsZero() {
		if !s.Token.AccessToken.IsZero() && t.set.asks != 0 {
			next := t.sibling(s.Login, s.Generation+1)
			t.lineages[next.Token.AccessToken.Reveal()] = t.lineageOf(&next.Token)
			next.Token.RefreshToken = Secret{}
			next.Asked = uint64(69 + kind%3)
			*s = next
		}
		return
	}
	theirs := s.Mark.IsZero() || s.Mark.Owner[0] == 99
	sent := t.sent[r.Reveal()]
	t.everSent[r.Reveal()] = true
	switch detail := kind >> 3; kind & 7 {
	case 0, 1: // the sibling was answered
		if !theirs || sent != nil && !sent.elsewhere {
			return
		}
		took := time.Duration(detail) * 200 * time.Millisecond
		s.Mark = Mark{Owner: [16]byte{99}, Attempt: uint64(t.now), Login: s.Login, Generation: s.Generation, At: t.wall(),
			Limit: took, Answered: true, Guarded: !s.Mark.IsZero()}
		t.sent[r.Reveal()] = &sentToken{at: t.now, over: t.now + int64(took+quietMargin), marked: true, elsewhere: true}
		if detail&1 != 0 {
			s.RetryAt = t.wall().Add(time.Duration(detail) * time.Minute)
		}
	case 2, 3: // a suspicion, fresh
		s.Suspicion = Suspicion{Since: t.wall().Add(-time.Duration(detail) * time.Minute), Last: t.wall(), Answers: 1 + uint32(detail&7), Reason: "odd"}
	case 4: // and old
		s.Suspicion = Suspicion{Since: t.wall().Add(-time.Duration(detail) * 24 * time.Hour), Last: t.wall().Add(-time.Duration(detail) * time.Hour), Answers: 9, Reason: "odd"}
	case 5: // Retry-After
		s.RetryAt = t.wall().Add(time.Duration(detail)*20*time.Minute - time.Hour)
	case 6: // a success without rotation
		if !theirs || sent != nil && !sent.elsewhere {
			return
		}
		s.Token.Expiry = t.wall().Add(time.Hour)
		s.Mark, s.Suspicion, s.RetryAt = Mark{}, Suspicion{}, time.Time{}
		s.Refusals = nil
		if sent != nil && sent.elsewhere {
			delete(t.sent, r.Reveal())
		}
	case 7: // the sibling's request was not sent
		if !theirs || s.Mark.Guarded || sent != nil && !sent.elsewhere {
			return
		}
		s.Mark = Mark{}
		if sent != nil && sent.elsewhere {
			delete(t.sent, r.Reveal())
		}
	}
}

// onlyPatient reports whether those who wait are all patient.
func (t *trial) onlyPatient() bool {
	for n := range t.open {
		if !t.patient[n] {
			return false
		}
	}
	return true
}
