// Package persisttest tests whether a manager.Store keeps its contract. Every
// store of this module passes it; a store of your own should too:
//
//	func TestConformance(t *testing.T) {
//		persisttest.Store(t, func(tb testing.TB) manager.Store {
//			s := openMyStore(tb.TempDir())
//			tb.Cleanup(func() { s.Close() })
//			return s
//		})
//	}
//
// Store alone tests the level of one process; options add what else the store
// offers. Run it with -race: part of it is goroutines that write one name.
package persisttest

import (
	"testing"

	"example.com/tokenactor/manager"
)

// Store runs each check of the suite as a subtest, on an empty store that open
// returns and closes by tb.Cleanup. Each check opens its own, so open may be
// called often and its stores must not share names.
func Store(t *testing.T, open func(tb testing.TB) manager.Store, options ...Option) {
	t.Helper()
	s := suite{open: open, checks: oneProcess}
	for _, option := range options {
		option(&s)
	}
	for _, c := range s.checks {
		t.Run(c.name, func(t *testing.T) { c.run(t, &s) })
	}
}

// An Option says what a Store offers beyond the level of one process.
type Option func(*suite)

// Reopen says that the store outlives the process. reopen ends the use of s, as
// the end of the process would, and returns a store of the same content.
func Reopen(reopen func(tb testing.TB, s manager.Store) manager.Store) Option {
	return func(s *suite) {
		s.reopen = reopen
		s.checks = append(s.checks[:len(s.checks):len(s.checks)], durable...)
	}
}

// Several says that the store can be open several times at once, as it is when
// several processes use it. another opens one more handle of the store that s is
// a handle of, and closes it by tb.Cleanup.
func Several(another func(tb testing.TB, s manager.Store) manager.Store) Option {
	return func(s *suite) {
		s.another = another
		s.checks = append(s.checks[:len(s.checks):len(s.checks)], several...)
	}
}

// News says that the store is a manager.Watcher. It needs Several.
func News() Option {
	return func(s *suite) { s.checks = append(s.checks[:len(s.checks):len(s.checks)], news...) }
}

// Leases says that the store has leases: it offers a Locker by the method that a
// manager.Manager looks for. It needs Several.
func Leases() Option {
	return func(s *suite) { s.checks = append(s.checks[:len(s.checks):len(s.checks)], leases...) }
}

// LosingLeases says that its leases can be lost, such as those with a time limit.
// lose takes the lease for name away from its holder, as if that had been paused
// past the limit: it may remove it from the server, or stop its renewal and wait.
// It needs Leases.
func LosingLeases(lose func(tb testing.TB, s manager.Store, name string)) Option {
	return func(s *suite) {
		s.lose = lose
		s.checks = append(s.checks[:len(s.checks):len(s.checks)], losing...)
	}
}

// A suite is what one call of Store tests.
type suite struct {
	open    func(testing.TB) manager.Store
	reopen  func(testing.TB, manager.Store) manager.Store
	another func(testing.TB, manager.Store) manager.Store
	lose    func(testing.TB, manager.Store, string)
	checks  []check
}

// A check is one clause of the contract. It takes a testing.TB, so that the
// suite's own test can watch it fail.
type check struct {
	name string
	run  func(testing.TB, *suite)
}
