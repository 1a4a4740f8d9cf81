package manager

import "slices"

// apply carries a save out as the store would.
func (t *trial) apply(w save) error {
	if w.fenced && (t.lease == 0 || t.lease > 0 && t.lease <= t.now) {
		return ErrLeaseLost
	}
	if w.expect != t.stored.Revision {
		return ErrConflict
	}
	if w.snapshot.Revision != w.expect+1 {
		t.fail("revision %d is to replace %d", w.snapshot.Revision, w.expect)
	}
	t.checkWrite(w.snapshot)
	if w.snapshot.Login < t.stored.Login || w.snapshot.Login == t.stored.Login && w.snapshot.Generation < t.stored.Generation {
		t.fail("(%d, %d) overwrites the newer (%d, %d)", w.snapshot.Login, w.snapshot.Generation, t.stored.Login, t.stored.Generation)
	}
	if r := t.stored.Token.RefreshToken; !r.IsZero() && w.snapshot.Mark.IsZero() {
		if s := t.sent[r.Reveal()]; s != nil && s.elsewhere {
			delete(t.sent, r.Reveal()) // our answer wins over a sibling's mark
		}
	}
	if s := t.sent[w.snapshot.Token.RefreshToken.Reveal()]; s != nil && t.refusedUs(w.snapshot) && w.snapshot.Mark.IsZero() {
		s.refused = true // after a restart too
	}
	t.put(*w.snapshot)
	return nil
}

// put replaces what is stored.
func (t *trial) put(s Snapshot) {
	if at := s.RetryAt.UnixNano(); !s.RetryAt.IsZero() { // one date counts once, though a sibling writes it again
		if t.retryDates == nil {
			t.retryDates = make(map[int64]int64)
		}
		if _, known := t.retryDates[at]; !known {
			t.retryDates[at] = t.now
		}
	}
	t.stored = s
}

// refusedUs reports whether the snapshot holds a refusal of our asker.
func (t *trial) refusedUs(s *Snapshot) bool {
	return slices.ContainsFunc(s.Refusals, func(r Refusal) bool { return r.Asker == t.set.asker })
}

// lineageOf tells from which login a token comes. One with a refresh token is known by that.
func (t *trial) lineageOf(token *Token) int { return t.lineages[lineageKey(token)] }

func lineageKey(token *Token) string {
	if token.RefreshToken.IsZero() {
		return token.AccessToken.Reveal()
	}
	return token.RefreshToken.Reveal()
}

// descends notes that a token comes from the same login as parent; nil: from its own.
func (t *trial) descends(token, parent *Token) {
	if parent != nil && t.lineageOf(parent) > 0 {
		t.lineages[lineageKey(token)] = t.lineageOf(parent)
		return
	}
	t.lineage++
	t.lineages[lineageKey(token)] = t.lineage
}
