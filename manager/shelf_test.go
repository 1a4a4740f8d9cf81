package manager_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"example.com/tokenactor/manager"
)

// A shelf is a Store in memory that several managers may share.
type shelf struct {
	// onSave is called before each write, outside the lock: it may block, and
	// its error is that of the write. Nil: nothing.
	onSave func(manager.Write) error

	mu        sync.Mutex
	snapshots map[string]manager.Snapshot
	saves     int
}

func newShelf() *shelf { return &shelf{snapshots: make(map[string]manager.Snapshot)} }

func (s *shelf) Load(_ context.Context, names []string) ([]manager.Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := make([]manager.Snapshot, len(names))
	for i, name := range names {
		found[i] = s.snapshots[name]
	}
	return found, nil
}

func (s *shelf) Scan(_ context.Context, f func(string, manager.Snapshot) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, snapshot := range s.snapshots {
		if err := f(name, snapshot); err != nil {
			return err
		}
	}
	return nil
}

func (s *shelf) Save(_ context.Context, writes []manager.Write) []error {
	errs := make([]error, len(writes))
	for i, w := range writes {
		if s.onSave != nil {
			if errs[i] = s.onSave(w); errs[i] != nil {
				continue
			}
		}
		errs[i] = s.write(w)
	}
	return errs
}

func (s *shelf) write(w manager.Write) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l, ok := w.Lease.(*lease); ok && !l.held() {
		return manager.ErrLeaseLost
	}
	if s.snapshots[w.Name].Revision != w.Expect {
		return manager.ErrConflict
	}
	s.snapshots[w.Name] = w.Snapshot
	s.saves++
	return nil
}

// get is what is stored.
func (s *shelf) get(name string) manager.Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.snapshots[name]
}

// change writes as a process would that the test does not run.
func (s *shelf) change(name string, edit func(*manager.Snapshot)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	snapshot := s.snapshots[name]
	edit(&snapshot)
	snapshot.Revision++
	s.snapshots[name] = snapshot
}

// expectStored checks tokens and that neither mark nor refusal is left.
func (s *shelf) expectStored(t testing.TB, name, access, refresh string) {
	t.Helper()
	got := s.get(name)
	if a, r := got.Token.AccessToken.Reveal(), got.Token.RefreshToken.Reveal(); a != access || r != refresh {
		t.Errorf("stored for %q: got tokens %q, %q, want %q, %q", name, a, r, access, refresh)
	}
	if !got.Mark.IsZero() || len(got.Refusals) > 0 {
		t.Errorf("stored for %q: got mark %+v, refusal %+v, want none", name, got.Mark, got.Refusals)
	}
}

// leases is a Locker whose leases end unless their holder renews them.
type leases struct {
	life time.Duration

	mu      sync.Mutex
	holders map[string]*lease
	freedc  chan struct{} // closed and replaced when a lease is free again
}

func newLeases(life time.Duration) *leases {
	return &leases{life: life, holders: make(map[string]*lease), freedc: make(chan struct{})}
}

func (l *leases) Lock(ctx context.Context, name string) (manager.Lease, error) {
	for {
		l.mu.Lock()
		if l.holders[name] == nil {
			got := &lease{of: l, name: name, lostc: make(chan struct{})}
			l.holders[name] = got
			l.mu.Unlock()
			return got, nil
		}
		freedc := l.freedc
		l.mu.Unlock()
		select {
		case <-freedc:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// pause stops the renewal of the lease for name, as a frozen process does.
func (l *leases) pause(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if held := l.holders[name]; held != nil && held.until.IsZero() {
		held.until = time.Now().Add(l.life)
		time.AfterFunc(l.life, func() { held.drop() })
	}
}

type lease struct {
	of    *leases
	name  string
	lostc chan struct{} // closed when the lease is no longer held
	until time.Time     // zero: it is renewed
}

func (l *lease) Remaining() time.Duration {
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	if l.until.IsZero() {
		return l.of.life
	}
	return max(time.Until(l.until), 0)
}

func (l *lease) Lost() <-chan struct{} { return l.lostc }

func (l *lease) Unlock(context.Context) error {
	if !l.drop() {
		return errors.New("the lease was lost before")
	}
	return nil
}

func (l *lease) held() bool {
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	return l.of.holders[l.name] == l
}

// drop frees the lease, unless it is another's by now.
func (l *lease) drop() bool {
	l.of.mu.Lock()
	defer l.of.mu.Unlock()
	if l.of.holders[l.name] != l {
		return false
	}
	delete(l.of.holders, l.name)
	close(l.lostc)
	close(l.of.freedc)
	l.of.freedc = make(chan struct{})
	return true
}
