package persisttest

import (
	"context"
	"time"

	"example.com/tokenactor/manager"
)

// change wakes all who wait for one. The store is locked.
func (s *faulty) change() {
	close(s.changec)
	s.changec = make(chan struct{})
}

func (s *faulty) Watch(ctx context.Context, f func(name string, revision uint64)) error {
	told := make(map[string]bool)
	for at := 0; ; {
		s.mu.Lock()
		fresh, changec := s.history[at:], s.changec
		at = len(s.history)
		s.mu.Unlock()
		if s.has("tells of a hundred at most") && len(fresh) > 100 {
			fresh = fresh[:100]
		}
		for _, w := range fresh {
			if s.has("tells each name once") && told[w.Name] {
				continue
			}
			told[w.Name] = true
			f(w.Name, w.Snapshot.Revision)
		}
		if s.has("stops telling") {
			return nil
		}
		select {
		case <-changec:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *faulty) Locker() manager.Locker { return s }

func (s *faulty) Lock(ctx context.Context, name string) (manager.Lease, error) {
	for {
		if err := ctx.Err(); err != nil && !s.has("ignores the context") {
			return nil, err
		}
		s.mu.Lock()
		s.locks++
		changec, held := s.changec, s.leases[s.key(name)] != nil
		if !held || s.has("leases exclude nobody") || s.has("gives a lease to two") && s.locks%10 == 0 {
			l := &faultyLease{s, name, make(chan struct{})}
			s.leases[s.key(name)] = l
			s.mu.Unlock()
			return l, nil
		}
		s.mu.Unlock()
		if s.has("does not wait for leases") {
			return nil, context.DeadlineExceeded
		}
		select {
		case <-changec:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

type faultyLease struct {
	of    *faulty
	name  string
	lostc chan struct{}
}

func (l *faultyLease) Remaining() time.Duration {
	if isLost(l) {
		return 0
	}
	return time.Hour
}

func (l *faultyLease) Lost() <-chan struct{} { return l.lostc }

func (l *faultyLease) Unlock(context.Context) error {
	s := l.of
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leases[s.key(l.name)] == l || s.has("frees whoever has it") {
		delete(s.leases, s.key(l.name))
	}
	if !isLost(l) {
		close(l.lostc)
	}
	s.change()
	return nil
}

// covers says whether w has the lease that it needs. The store is locked.
func (s *faulty) covers(w *manager.Write) bool {
	l, ok := w.Lease.(*faultyLease)
	return ok && !isLost(l) && (l.name == w.Name || s.has("any lease will do"))
}

// lose takes the lease for name from its holder.
func (s *faulty) lose(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.leases[s.key(name)].lostc)
	delete(s.leases, s.key(name))
	s.change()
}
