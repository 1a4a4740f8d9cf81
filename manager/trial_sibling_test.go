package manager

import "time"

// sibling makes a snapshot as another process would store it.
func (t *trial) sibling(login, generation uint64) Snapshot {
	token := t.fresh(true)
	token.Expiry = t.wall().Add(token.ExpiresIn)
	if login > 0 && login == t.stored.Login {
		t.descends(token, &t.stored.Token)
	} else {
		t.descends(token, nil)
	}
	return Snapshot{Token: *token, Login: login, Generation: generation, Revision: t.stored.Revision + 1}
}

func (t *trial) siblingWrites(choice byte) {
	if !t.set.durable || t.stored.Revision == 0 {
		return
	}
	s := t.stored
	s.Revision++
	switch choice >> 5 {
	case 0: // marks the same parent
		if t.wide && s.Token.RefreshToken.IsZero() {
			return
		}
		s.Mark = Mark{Owner: [16]byte{99}, Attempt: uint64(t.now), Login: s.Login, Generation: s.Generation, At: t.wall(), Limit: t.set.policy.limit()}
		if r := s.Token.RefreshToken; !r.IsZero() && t.sent[r.Reveal()] == nil {
			t.sent[r.Reveal()] = &sentToken{at: t.now, over: t.now + int64(t.set.policy.limit()+quietMargin), marked: true, elsewhere: true}
		}
	case 1: // has refreshed
		s = t.sibling(s.Login, s.Generation+1)
	case 2: // has logged in
		s = t.sibling(s.Login+1, s.Generation+1)
	case 3: // has logged out
		s = Snapshot{Login: s.Login + 1, Generation: s.Generation, Revision: s.Revision}
		if t.wide {
			s.Generation++
		}
	case 4: // was refused
		if t.wide {
			t.siblingRefused(&s)
			break
		}
		s.Mark, s.Refusals = Mark{}, []Refusal{{At: t.wall(), Reason: "refused elsewhere"}}
	default:
		if !t.wide {
			return
		}
		t.siblingNotes(&s)
	}
	t.put(s)
	t.healed = false
	t.note("-- a sibling writes %s", describeSnapshot(&s))
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
