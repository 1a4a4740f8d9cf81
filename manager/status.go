package manager

import (
	"sync/atomic"
	"time"
)

// State is how a credential is.
type State string

// The states of a credential.
const (
	StateNew       State = "new"        // not used yet, the store was not asked
	StateEmpty     State = "empty"      // no token yet: the first caller gets one
	StateFresh     State = "fresh"      // usable, renewal not due
	StateDue       State = "due"        // usable, inside the renewal window
	StateExpired   State = "expired"    // past expiry - skew
	StateRejected  State = "rejected"   // a resource server rejected the token
	StateRefused   State = "refused"    // only a login helps
	StateSuspected State = "suspected"  // the server refuses in words that are not known: a login may be needed
	StateLoggedOut State = "logged out" // Forget had the last word
	StateReleased  State = "released"   // Release was called
	StateClosed    State = "closed"     // the manager is closed
)

// Source is where a token came from.
type Source uint8

// The sources of a token.
const (
	SourceNone    Source = iota
	SourceStore          // read at the first use
	SourceSibling        // another process stored it
	SourceRefresh        // a refresh of this process
	SourceLogin          // Install
)

// String gives the source in a word.
func (s Source) String() string {
	return [...]string{"none", "store", "sibling", "refresh", "login"}[s]
}

// A Status tells how a credential is and why. It holds no secret.
type Status struct {
	Name       string
	State      State
	Source     Source
	Login      uint64
	Generation uint64
	Revision   uint64 // of the snapshot in the store, 0: none

	// Expiry is that of the access token, RefreshExpiry of the refresh token;
	// zero: none or unknown.
	Expiry, RefreshExpiry time.Time

	// Refreshing says that a renewal is under way, Hung that its Refresher
	// has passed its time limit and not returned.
	Refreshing, Hung bool

	// NextAttempt is when the next refresh may begin, zero: not before Install,
	// or nothing is planned. Err is the last failure since a success.
	NextAttempt time.Time
	Err         error

	// SuspectedSince is when the server first refused in words that are not
	// known, from the second such answer on; zero: it does not.
	SuspectedSince time.Time

	// Unsaved says that the store does not have the newest state yet, Mark
	// that a refresh token is being spent or its fate is unknown.
	Unsaved bool
	Mark    Mark

	// Barren says that new tokens were rejected like old ones, so that
	// refreshes for rejections are put off.
	Barren bool
}

func (m *machine) status(t moment) Status {
	s := Status{Name: m.name, State: m.state(t), Source: m.source, Revision: m.revision}
	at := &turn{moment: t}
	if m.token != nil {
		s.Login, s.Generation = m.token.login, m.token.generation
		s.Expiry, s.RefreshExpiry = m.token.Expiry, m.token.RefreshExpiry
	}
	next := m.start()
	if !m.loaded {
		next = never
	}
	if w := m.work; w != nil {
		s.Refreshing, s.Hung = m.phase != resting, w.hung
		s.Unsaved = w.unsaved || w.dirty || w.next != nil
		s.Mark = w.mark
		s.Barren = t.now < w.barrenUntil
		s.Err = w.loadErr
		if w.failure != nil {
			s.Err = w.failure
			if next == never { // whoever asks will see to it
				next = at.machineTime(w.failure.RetryAt)
			}
		}
		if w.suspectedTold() {
			s.SuspectedSince = w.suspicion.Since
		}
	}
	if next != never && !s.Refreshing {
		s.NextAttempt = wallAt(at, max(next, t.now))
	}
	return s
}

func (m *machine) state(t moment) State {
	w := m.work
	switch {
	case w != nil && w.leaving == ErrClosed:
		return StateClosed
	case w != nil && w.leaving != nil:
		return StateReleased
	case !m.loaded:
		return StateNew
	case m.published && t.now < m.due:
		return StateFresh
	case m.published:
		return StateDue
	case w != nil && m.barred():
		return StateRefused
	case w != nil && w.suspectedTold():
		return StateSuspected
	case m.token == nil:
		return StateEmpty
	case m.loggedOut():
		return StateLoggedOut
	case w != nil && w.forRejection:
		return StateRejected
	}
	return StateExpired
}

// Stats counts since New. Counters only grow.
type Stats struct {
	Refreshes       uint64 // that brought a token
	RefreshFailures uint64 // attempts that did not, and those that could not be begun
	Rejections      uint64 // published tokens that a resource server rejected
	Barren          uint64 // times that renewing did not help
	Installs        uint64 // logins
	Forgets         uint64 // logouts
	Loads           uint64 // tokens read from the store
	Adoptions       uint64 // newer tokens of other processes taken over
	SaveFailures    uint64 // saves that failed and were retried
	Refusals        uint64 // credentials that need a login
	Suspicions      uint64 // credentials that may need one
	HeldBack        uint64 // renewals that waited because their token endpoint was in trouble
	Hung            uint64 // Refreshers that passed their time limit and did not return
	EventsDropped   uint64 // because the hook was slow
	InFlight        int64  // gauge: calls of Refreshers at this moment
}

// stats are written by the loop and by refreshes, and read by anybody.
type stats struct {
	kinds    [EventHeldBack + 1]atomic.Uint64
	dropped  atomic.Uint64
	inFlight atomic.Int64
}

func (s *stats) count(k EventKind) { s.kinds[k].Add(1) }

func (s *stats) snapshot() Stats {
	n := func(k EventKind) uint64 { return s.kinds[k].Load() }
	return Stats{
		Refreshes:       n(EventRefreshed),
		RefreshFailures: n(EventRefreshFailed),
		Rejections:      n(EventRejected),
		Barren:          n(EventBarren),
		Installs:        n(EventInstalled),
		Forgets:         n(EventForgotten),
		Loads:           n(EventLoaded),
		Adoptions:       n(EventAdopted),
		SaveFailures:    n(EventSaveFailed),
		Refusals:        n(EventRefused),
		Suspicions:      n(EventLoginSuspected),
		HeldBack:        n(EventHeldBack),
		Hung:            n(EventHung),
		EventsDropped:   s.dropped.Load(),
		InFlight:        s.inFlight.Load(),
	}
}
