package manager

import (
	"cmp"
	"errors"
	"slices"
	"time"
)

// load asks for the stored snapshot.
func (m *machine) load(t *turn, why purpose) {
	m.expectAnswer(t, why)
	t.emit(load{m.op})
}

// save stores s as the successor of the revision last seen. Fenced: only while
// the lease is held.
func (m *machine) save(t *turn, why purpose, s Snapshot, fenced bool) {
	m.expectAnswer(t, why)
	s.Login, s.Generation, s.Revision, s.Asked = s.Token.login, s.Token.generation, m.revision+1, s.Token.asked
	t.emit(save{m.op, m.revision, &s, fenced})
}

// saveState stores the newest state: the answer or login under way, or else
// what is in memory.
func (m *machine) saveState(t *turn) {
	w := m.work
	s := Snapshot{Mark: w.mark}
	switch {
	case w.next != nil:
		s = Snapshot{Token: *w.next, Refusals: m.refusalsOf(w.next)}
	case m.token != nil:
		s.Token, s.Refusals = *m.token, w.refusals
	}
	if w.next == nil && m.refreshable() { // of what can be had again at no risk nothing is remembered
		s.Suspicion = w.suspicion
		if w.after > t.now {
			s.RetryAt = wallAt(t, w.after)
		}
	}
	m.save(t, forState, s, false)
}

func (m *machine) expectAnswer(t *turn, why purpose) {
	m.op++
	w := m.doing()
	w.purpose, w.limit = why, never
	if m.set.saveLimit > 0 {
		w.limit = after(t.now, sum(m.set.saveLimit, quietMargin)) // the store's context ends a second earlier
	}
}

// answered takes in what the store said to the last question; late answers to
// earlier ones are dropped.
func (m *machine) answered(t *turn, op uint16, s *Snapshot, err error) {
	w := m.work
	if w == nil || w.purpose == forNothing || op != m.op {
		return
	}
	why := w.purpose
	w.purpose = forNothing
	defer m.resume(t)
	switch why {
	case forStart:
		m.started(t, s, err)
	case forNews:
		w.heard = 0
		if err == nil {
			m.adopt(t, s)
		}
	case forReload:
		m.reloaded(t, s, err)
	case forMark:
		m.marked(t, err)
	case forMarkCheck:
		m.markChecked(t, s, err)
	case forState:
		m.stateSaved(t, err)
	case forStateCheck:
		m.stateChecked(t, s, err)
	case forLogin:
		m.loginSaved(t, err)
	case forLoginCheck:
		m.loginChecked(t, s, err)
	}
}

// resume takes in an answer of the Refresher that came while a login was being
// saved: by now it is known which of them wins.
func (m *machine) resume(t *turn) {
	if w := m.work; w.late != nil && w.purpose == forNothing {
		late := *w.late
		w.late = nil
		m.refreshed(t, late)
	}
}

// started takes in the first load.
func (m *machine) started(t *turn, s *Snapshot, err error) {
	w := m.work
	if err != nil {
		w.loads++
		w.loadRetry = after(t.now, m.set.policy.retry(w.loads, t.dice))
		w.loadErr = err
		m.say(t, EventLoadFailed, err)
		for _, c := range w.controls {
			t.emit(reply{c.ticket, nil, err})
		}
		w.controls = nil
		return
	}
	w.loads, w.loadRetry, w.loadErr = 0, 0, nil
	m.loaded = true
	if s.Revision > 0 {
		m.adopt(t, s)
		w.forced, w.resolved = m.retried(), false // what is stored is no outcome of an attempt
		m.say(t, EventLoaded, nil)
	}
	if m.onlyLooks() {
		m.looked(t)
	}
}

// hear takes in that somebody wrote. What nobody reads is not loaded for that, but when
// somebody asks again: of a fleet's machines most would read what few of them need.
func (m *machine) hear(t *turn, revision uint64) {
	switch {
	case !m.loaded || revision <= m.revision:
	case m.set.policy.Idle > 0 && m.work == nil && (m.parked || !m.published):
		m.hide(t)
		m.loaded, m.due = false, never
	default:
		m.doing().heard = revision
	}
}

// found takes in a first load that came before anybody asked, or while the
// answer is awaited, which is then dropped.
func (m *machine) found(t *turn, s *Snapshot) {
	w := m.doing()
	if m.loaded || w.leaving != nil {
		return
	}
	w.purpose = forNothing
	m.started(t, s, nil)
}

// adopt takes over what the store holds: all of it if it is newer, its
// revision, mark and refusal if it is the state we have. If it is older, the
// store lost writes, and ours is written back.
func (m *machine) adopt(t *turn, s *Snapshot) {
	w := m.doing()
	m.revision = s.Revision
	switch m.order(s, m.token) {
	case -1:
		if !w.unsaved && !m.set.reader {
			w.unsaved = true
			m.say(t, EventStoreRolledBack, nil)
		}
		return
	case 1:
		m.supersede(t, s)
	case 0:
		if !s.holds(m.token) {
			m.supersede(t, s)
			break
		}
		w.unstored = nil
		if w.dirty && m.owed(s) {
			if own := m.refusal(); !own.IsZero() {
				w.refusals = withRefusal(s.Refusals, own)
			} else {
				w.refusals = s.Refusals
			}
			m.heedRetryAfter(t, s)
			return
		}
		if w.dirty && m.refusalOwed(s) {
			m.heed(t, s) // whose mark is there may be sending
			return
		}
		if w.dirty && w.mark.same(w.nextMark) && !s.Mark.IsZero() && !s.Mark.same(w.mark) {
			w.hidden = w.mark
		}
	}
	w.dirty = false
	m.heed(t, s)
}

// owed reports whether the store still lacks what we know of the mark in the state it
// holds: that something was sent without one, or that it was answered. A refusal that a
// sibling met meanwhile says nothing of that: it did not know, and Retry asks all the same.
func (m *machine) owed(s *Snapshot) bool {
	w := m.work
	return s.Mark.IsZero() && !w.mark.IsZero() ||
		w.mark.Answered && !s.Mark.Answered && s.Mark.same(w.mark)
}

// refusalOwed reports whether the store lacks our refusal of the refresh token it holds.
func (m *machine) refusalOwed(s *Snapshot) bool {
	return !m.refusal().IsZero() && !m.told(s)
}

// told reports whether s has a refusal to our asker.
func (m *machine) told(s *Snapshot) bool {
	return slices.ContainsFunc(s.Refusals, func(r Refusal) bool { return r.Asker == m.set.asker })
}

// supersede makes the store's token the current one.
func (m *machine) supersede(t *turn, s *Snapshot) {
	if m.keepsOwn(s, m.token) {
		m.outpaced(t, s)
		return
	}
	token := s.Token.keep()
	token.login, token.generation, token.asked = s.Login, s.Generation, s.Asked
	m.work.unstored = nil
	known := m.token != nil
	m.clear()
	m.take(t, token, token.leftAt(t.wall))
	m.resolveWith()
	m.source = SourceStore
	if known {
		m.source = SourceSibling
		m.say(t, EventAdopted, nil)
	}
}

// keepsOwn reports whether s is a sibling's token for something else, while ours is still
// for what we asked. Neither has a refresh token, so each can have its own; and an answer
// that has one is its only copy.
func (m *machine) keepsOwn(s *Snapshot, ours *Token) bool {
	stored := Token{AccessToken: s.Token.AccessToken, RefreshToken: s.Token.RefreshToken, asked: s.Asked}
	return ours != nil && ours.login == s.Login && (m.token == nil || m.token.login == s.Login) && stored.foreign(m.set.asks) &&
		ours.asked == m.set.asks && (ours.RefreshToken.IsZero() || ours == m.work.next) && m.work.unstored == nil
}

// outpaced goes on with our own token under the number of the sibling's, so that our
// next one is newer than both.
func (m *machine) outpaced(t *turn, s *Snapshot) {
	w := m.work
	if w.next == nil {
		w.unsaved, w.dirty = false, false
	} else {
		w.next.generation = max(w.next.generation, s.Generation+1)
	}
	if m.token.generation == s.Generation {
		return
	}
	own := m.token.keep()
	own.generation = s.Generation
	m.token = own
	if m.published && !m.parked {
		t.emit(publish{own})
	}
}

// compare tells whether s is older than, the same as, or newer than token.
func (s *Snapshot) compare(token *Token) int {
	if token == nil {
		token = &Token{}
	}
	return cmp.Or(cmp.Compare(s.Login, token.login), cmp.Compare(s.Generation, token.generation))
}

// order compares s with a token of ours. A login of ours that was never stored
// gives way to any that was: somebody was told that theirs stands.
func (m *machine) order(s *Snapshot, ours *Token) int {
	if u := m.work.unstored; u != nil && s.Login >= u.login && !s.holds(u) && !s.holds(ours) {
		return 1
	}
	return s.compare(ours)
}

// holds reports whether s has the secrets of token.
func (s *Snapshot) holds(token *Token) bool {
	if token == nil {
		token = &Token{}
	}
	return s.Token.AccessToken.Equal(token.AccessToken) && s.Token.RefreshToken.Equal(token.RefreshToken)
}

// heed takes over the stored refusals, suspicion and Retry-After, and the stored mark with
// the time when it was first seen. Our own refusal stays where the store had no room for it.
func (m *machine) heed(t *turn, s *Snapshot) {
	w, own := m.work, m.refusal()
	w.refusals = s.Refusals
	if !own.IsZero() && m.refusal().IsZero() && (w.dirty || len(s.Refusals) >= MaxRefusals) {
		w.refusals = withRefusal(s.Refusals, own)
	}
	if w.failure != nil && w.failure.Class == ClassFinal && !m.barred() {
		w.failure = nil // the refusal has ended
	}
	m.heedRetryAfter(t, s)
	m.resumeSuspicion(t, s.Suspicion)
	m.seeMark(t, s.Mark)
}

// heedRetryAfter takes over the stored Retry-After, up to an hour from when it was first
// seen: the clock of the process that stored it may be ahead by years.
func (m *machine) heedRetryAfter(t *turn, s *Snapshot) {
	w := m.work
	if s.RetryAt.Equal(w.heeded) {
		return
	}
	w.heeded = s.RetryAt
	if wait := s.RetryAt.Sub(time.Unix(0, t.wall)); wait > 0 {
		w.after = max(w.after, after(t.now, min(wait, maxRetryAfter)))
	}
}

func (m *machine) seeMark(t *turn, mark Mark) {
	w := m.work
	if w.mark.IsZero() && !mark.IsZero() && mark.same(w.nextMark) && m.phase != sending {
		w.dirty = m.set.durable // ours, and taken away since: the store is still to hear of that
		return
	}
	settled := w.mark.Answered && !mark.Answered // we know more than the store
	if mark.same(w.mark) && (settled || mark.Answered == w.mark.Answered && mark.Limit == w.mark.Limit && mark.Guarded == w.mark.Guarded) {
		return
	}
	if mark.IsZero() && !w.hidden.IsZero() { // the sibling's has gone: the store is to hear of ours at last
		w.mark, w.hidden, w.ownerless, w.dirty = w.hidden, Mark{}, true, m.set.durable
		return // the quiet time of both is running
	}
	before, quiet, quietUsable := w.mark, w.quiet, w.quietUsable
	w.mark, w.ownerless = mark, mark.same(before) && w.ownerless
	m.beginQuiet(t)
	if !before.IsZero() && !mark.IsZero() && !mark.same(before) { // both requests may be under way
		w.quiet, w.quietUsable = max(w.quiet, quiet), max(w.quietUsable, quietUsable)
	}
}

// stateSaved goes on after an answer, a refusal or a cleared mark was saved, or
// was not.
func (m *machine) stateSaved(t *turn, err error) {
	during := m.phase == storing
	switch {
	case err == nil:
		m.revision++
		m.stored(t)
	case errors.Is(err, ErrConflict):
		m.load(t, forStateCheck)
		return
	default:
		m.notStored(t, err)
	}
	if during {
		m.phase = resting
	}
}

// stored: the store holds the newest state.
func (m *machine) stored(t *turn) {
	w := m.work
	w.saves, w.saveRetry = 0, 0
	w.unsaved, w.unstored, w.dirty = false, nil, false
	switch {
	case w.next != nil:
		m.installed(t)
	case !m.refusal().IsZero() && w.failure != nil && w.failure.Class == ClassFinal:
		m.say(t, EventRefused, m.refused())
	}
}

// notStored keeps the state in memory and uses it, unless FailClosed says no.
func (m *machine) notStored(t *turn, err error) {
	w := m.work
	w.saveErr = err
	w.saves++
	w.saveRetry = after(t.now, m.set.policy.retry(w.saves, t.dice))
	t.emit(event{Event{Kind: EventSaveFailed, Generation: m.generation(), RetryAt: wallAt(t, w.saveRetry), Err: err}})
	if w.next == nil {
		if !m.refusal().IsZero() {
			m.say(t, EventRefused, m.refused())
		}
		return
	}
	if m.set.policy.FailClosed {
		w.unsaved = true // next stays: shown when it is stored
		w.failure = m.failure(notSaved(err), ClassNotSent)
		w.failure.RetryAt = wallAt(t, w.saveRetry)
		return
	}
	next, login := w.next, m.loggedOut()
	m.installed(t)
	w.unsaved = true
	if login {
		w.unstored = next
	}
}

// stateChecked resolves a conflict. The answer wins over anything that is not
// newer, for it is the only copy of a refresh token; a refusal or a cleared
// mark gives way to whatever came between.
func (m *machine) stateChecked(t *turn, s *Snapshot, err error) {
	w := m.work
	during := m.phase == storing
	if during {
		m.phase = resting
	}
	if err != nil {
		m.notStored(t, err)
		return
	}
	ours := w.next
	if ours == nil && w.unsaved {
		ours = m.token
	}
	if ours == nil {
		m.adopt(t, s)
		return
	}
	switch order := m.order(s, ours); {
	case order >= 0 && m.keepsOwn(s, ours):
		m.revision = s.Revision
		if w.next == nil {
			m.outpaced(t, s)
			return
		}
		w.next.generation = s.Generation + 1
		if during {
			m.phase = storing
		}
		m.saveState(t)
	case order == 0 && s.holds(ours):
		if w.next == nil { // our own write: its answer was lost
			w.unsaved, w.saves, w.saveRetry = false, 0, 0
			m.adopt(t, s)
			return
		}
		m.revision = s.Revision
		m.stored(t)
		m.heed(t, s)
	case order < 0:
		if s.Revision < m.revision || s.compare(m.token) < 0 && w.next != nil {
			m.say(t, EventStoreRolledBack, nil)
		}
		m.revision = s.Revision
		if during {
			m.phase = storing
		}
		m.saveState(t)
	default:
		t.emit(event{Event{Kind: EventAnswerDropped, Attempt: uint64(m.attempt), Generation: ours.generation}})
		m.revision = s.Revision
		m.supersede(t, s)
		m.heed(t, s)
	}
}
