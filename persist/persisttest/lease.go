package persisttest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/tokenactor/manager"
)

// leases is what the leases of a store must do.
var leases = []check{
	{"lease excludes", excludes},
	{"lease is waited for", waitedFor},
	{"lease of an ended context", endedContext},
	{"lease given up twice", givenUpTwice},
	{"lease after lease", leaseAfterLease},
	{"leases of odd names", leasesOfOddNames},
	{"write under a lease", writeUnderLease},
	{"write under the wrong lease", wrongLease},
}

// losing is what they must do when they are lost.
var losing = []check{
	{"lease lost", leaseLost},
}

// locker returns the leases of a handle.
func locker(tb testing.TB, store manager.Store) manager.Locker {
	tb.Helper()
	offers, ok := store.(interface{ Locker() manager.Locker })
	if !ok {
		tb.Fatalf("%T has no method Locker", store)
	}
	l := offers.Locker()
	if l == nil {
		tb.Fatalf("Locker of %T is nil", store)
	}
	return l
}

// mustLock takes a lease that is free, or becomes so.
func mustLock(tb testing.TB, store manager.Store, name string) manager.Lease {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	l, err := locker(tb, store).Lock(ctx, name)
	if err != nil {
		tb.Fatalf("Lock(%q): %v", name, err)
	}
	if held := l.Remaining(); held == 0 || isLost(l) {
		tb.Errorf("the lease of %q just made: Remaining %v, lost %v, want it held", name, held, isLost(l))
	}
	return l
}

func mustUnlock(tb testing.TB, l manager.Lease) {
	tb.Helper()
	if err := l.Unlock(tb.Context()); err != nil {
		tb.Errorf("Unlock: %v", err)
	}
}

// mustWait asks for a lease that somebody has, and for a moment only.
func mustWait(tb testing.TB, store manager.Store, name string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), moment)
	defer cancel()
	l, err := locker(tb, store).Lock(ctx, name)
	if err == nil {
		tb.Errorf("Lock(%q) gave a lease that is held already", name)
		mustUnlock(tb, l)
	} else if !errors.Is(err, context.DeadlineExceeded) {
		tb.Errorf("Lock(%q) when its context ended: %v, want its error", name, err)
	}
}

func isLost(l manager.Lease) bool {
	select {
	case <-l.Lost():
		return true
	default:
		return false
	}
}

// A lease excludes all others, on its own handle too, from its name and no other.
func excludes(tb testing.TB, s *suite) {
	all := s.handles(tb, 2)
	l := mustLock(tb, all[0], "a")
	mustWait(tb, all[1], "a")
	mustWait(tb, all[0], "a")
	mustUnlock(tb, mustLock(tb, all[1], "b"))
	if isLost(l) {
		tb.Errorf("the lease was lost while others waited for it")
	}
	mustUnlock(tb, l)
	mustUnlock(tb, mustLock(tb, all[1], "a"))
}

// Who waits for a lease gets it when it is given up, and not before.
func waitedFor(tb testing.TB, s *suite) {
	all := s.handles(tb, 2)
	l := mustLock(tb, all[0], "a")
	var free atomic.Bool
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	donec := make(chan error, 1)
	waiting := locker(tb, all[1])
	go func() {
		theirs, err := waiting.Lock(ctx, "a")
		if err == nil && !free.Load() {
			err = errors.New("it was there before it was given up")
		}
		if err == nil {
			err = theirs.Unlock(ctx)
		}
		donec <- err
	}()
	time.Sleep(moment) // so that it waits
	free.Store(true)
	mustUnlock(tb, l)
	if err := <-donec; err != nil {
		tb.Errorf("Lock that waited: %v", err)
	}
}

// A context that has ended gets no lease, and leaves none behind.
func endedContext(tb testing.TB, s *suite) {
	all := s.handles(tb, 2)
	ctx, cancel := context.WithCancel(tb.Context())
	cancel()
	if l, err := locker(tb, all[0]).Lock(ctx, "a"); !errors.Is(err, context.Canceled) {
		tb.Errorf("Lock of an ended context: %v, %v, want its error", l, err)
	}
	held := mustLock(tb, all[0], "a")
	mustWait(tb, all[1], "a")
	mustUnlock(tb, held)
	mustUnlock(tb, mustLock(tb, all[0], "a"))
}

// Unlock ends a lease for good: a second one frees nobody else's.
func givenUpTwice(tb testing.TB, s *suite) {
	all := s.handles(tb, 2)
	first := mustLock(tb, all[0], "a")
	mustUnlock(tb, first)
	if !isLost(first) {
		tb.Errorf("a lease that was given up is not lost")
	}
	second := mustLock(tb, all[1], "a")
	_ = first.Unlock(tb.Context()) // it may be an error
	mustWait(tb, all[0], "a")
	if isLost(second) {
		tb.Errorf("the lease was lost when one before it was given up again")
	}
	mustUnlock(tb, second)
}

// Of many that want one lease at once, each gets it, one at a time.
func leaseAfterLease(tb testing.TB, s *suite) {
	const each = 3
	all := s.handles(tb, handleCount)
	var lockers []manager.Locker
	for _, store := range all {
		lockers = append(lockers, locker(tb, store))
	}
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	var holders, most atomic.Int64
	errs := make([]error, writers)
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			for range each {
				l, err := lockers[i%len(lockers)].Lock(ctx, "a")
				if err != nil {
					errs[i] = err
					return
				}
				if n := holders.Add(1); n > 1 {
					most.Store(n)
				}
				time.Sleep(time.Millisecond)
				holders.Add(-1)
				if err := l.Unlock(ctx); err != nil {
					errs[i] = err
					return
				}
			}
		})
	}
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			tb.Errorf("goroutine %d: %v", i, err)
		}
	}
	if n := most.Load(); n > 1 {
		tb.Errorf("%d had the lease at once", n)
	}
}

// Names are bytes, for leases too.
func leasesOfOddNames(tb testing.TB, s *suite) {
	all := s.handles(tb, 2)
	var held []manager.Lease
	for _, name := range oddOnes {
		held = append(held, mustLock(tb, all[0], name)) // beside all those before
	}
	mustWait(tb, all[1], oddOnes[len(oddOnes)-1])
	for _, l := range held {
		mustUnlock(tb, l)
	}
}

// A write under a lease is stored while the lease is held, and not after that.
func writeUnderLease(tb testing.TB, s *suite) {
	store := s.open(tb)
	l := mustLock(tb, store, "a")
	first := under(l, write("a", 0, token("first")))
	mustSave(tb, store, first)
	stored(tb, store, write("a", 0, token("first")))
	mustUnlock(tb, l)
	wantLeaseLost(tb, store, under(l, write("a", 1, token("late"))))
	again := mustLock(tb, store, "a")
	wantLeaseLost(tb, store, under(l, write("a", 1, token("under the one before"))))
	stored(tb, store, write("a", 0, token("first")))
	mustSave(tb, store, under(again, write("a", 1, token("second"))))
	mustUnlock(tb, again)
}

// The lease of one name is no lease of another.
func wrongLease(tb testing.TB, s *suite) {
	store := s.open(tb)
	l := mustLock(tb, store, "a")
	wantLeaseLost(tb, store, under(l, write("b", 0, token("b"))))
	mustSave(tb, store, under(l, write("a", 0, token("a"))))
	mustUnlock(tb, l)
}

// A lease that is lost says so, protects nothing any more, and is somebody
// else's next.
func leaseLost(tb testing.TB, s *suite) {
	all := s.handles(tb, 2)
	mustSave(tb, all[0], write("a", 0, token("first")))
	l := mustLock(tb, all[0], "a")
	s.lose(tb, all[0], "a")
	theirs := mustLock(tb, all[1], "a")
	wantLeaseLost(tb, all[0], under(l, write("a", 1, token("of the loser"))))
	select {
	case <-l.Lost():
	case <-time.After(patience):
		tb.Errorf("Lost of a lease that was lost is not closed in %v", patience)
	}
	if held := l.Remaining(); held > 0 {
		tb.Errorf("Remaining of a lease that was lost: %v", held)
	}
	_ = l.Unlock(tb.Context()) // it may be an error
	mustWait(tb, all[0], "a")
	mustSave(tb, all[1], under(theirs, write("a", 1, token("of the next"))))
	mustUnlock(tb, theirs)
}

func under(l manager.Lease, w manager.Write) manager.Write {
	w.Lease = l
	return w
}

func wantLeaseLost(tb testing.TB, store manager.Store, w manager.Write) {
	tb.Helper()
	if err := save(tb, store, w)[0]; !errors.Is(err, manager.ErrLeaseLost) {
		tb.Errorf("Save of %q under a lease that does not hold: %v, want ErrLeaseLost", w.Name, err)
	}
}

// lost is a lease that is held no more.
type lost struct{}

func (lost) Remaining() time.Duration { return 0 }

func (lost) Lost() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}

func (lost) Unlock(context.Context) error { return nil }
