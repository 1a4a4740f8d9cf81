package etcdstore_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"example.com/tokenactor/internal/enginetest"
	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist/etcdstore"
)

// patience is how long the tests wait for what must happen.
const patience = time.Minute

func write(name string, expect uint64) manager.Write {
	return manager.Write{Name: name, Expect: expect, Snapshot: manager.Snapshot{Login: 1, Generation: expect + 1, Revision: expect + 1,
		Token: manager.Token{AccessToken: manager.NewSecret("token")}}}
}

// A Watch that is far behind gets its news in parts. One that breaks off between two of
// them goes on where it was; after a compaction it tells of all.
func TestWatchBehind(t *testing.T) {
	t.Parallel()
	const many = 2500 // etcd gives what is past in parts of 1,000 revisions
	for _, compacted := range []bool{false, true} {
		endpoints, _ := enginetest.Etcd(t, 1)
		s, other := open(t, endpoints, etcdstore.Options{}), open(t, endpoints, etcdstore.Options{})
		if _, err := s.Load(t.Context(), []string{"a"}); err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		for worker := range 20 {
			go func() {
				defer func() { done <- struct{}{} }()
				for i := worker; i < many; i += 20 {
					if err := other.Save(t.Context(), []manager.Write{write(fmt.Sprint(i), 0)})[0]; err != nil {
						t.Error(err)
						return
					}
				}
			}()
		}
		for range 20 {
			<-done
		}
		if compacted {
			c := client(t, endpoints)
			now, err := c.Get(t.Context(), "x")
			if err == nil {
				_, err = c.Compact(t.Context(), now.Header.Revision)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		told := make(map[string]bool)
		watch := func(enough int) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			_ = s.Watch(ctx, func(name string, _ uint64) {
				if told[name] = true; len(told) >= enough {
					cancel()
				}
			})
		}
		watch(10) // and then it breaks off
		watch(many)
		if len(told) != many {
			t.Errorf("compacted %t: told of %d names, want %d", compacted, len(told), many)
		}
	}
}

// Leases whose etcd lease was revoked are lost, and the next Lock makes another.
func TestSessionRevoked(t *testing.T) {
	t.Parallel()
	endpoints, _ := enginetest.Etcd(t, 1)
	s := open(t, endpoints, etcdstore.Options{Lease: 3 * time.Second})
	l, err := s.Locker().Lock(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	c := client(t, endpoints)
	all, err := c.Leases(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, lease := range all.Leases {
		if _, err := c.Revoke(t.Context(), lease.ID); err != nil {
			t.Fatal(err)
		}
	}
	again, err := s.Locker().Lock(t.Context(), "a")
	if err != nil {
		t.Fatalf("Lock when the etcd lease was revoked: %v", err)
	}
	select {
	case <-l.Lost():
	case <-time.After(patience):
		t.Error("a lease whose etcd lease was revoked is not lost")
	}
	if again.Remaining() == 0 {
		t.Error("the next lease is lost as well")
	}
	if err := again.Unlock(t.Context()); err != nil {
		t.Error(err)
	}
}

// Of three nodes one may die; of two that die the third answers nothing until they are
// back, and a token in memory is served meanwhile.
func TestNodesKilled(t *testing.T) {
	t.Parallel()
	endpoints, servers := enginetest.Etcd(t, 3)
	s := open(t, endpoints, etcdstore.Options{})
	m, err := manager.New(manager.Config{Store: s})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	save := func(expect uint64, limit time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		return s.Save(ctx, []manager.Write{write("b", expect)})[0]
	}
	c := m.Manage("a", nil)
	if err := c.Install(t.Context(), manager.Token{AccessToken: manager.NewSecret("A"), ExpiresIn: time.Hour}); err != nil {
		t.Fatal(err)
	}
	settle := func(expect uint64) {
		t.Helper()
		deadline := time.Now().Add(patience)
		for err := save(expect, 5*time.Second); err != nil && err != manager.ErrConflict; err = save(expect, 5*time.Second) {
			if time.Now().After(deadline) {
				t.Fatalf("Save: %v", err)
			}
		}
	}
	servers[0].Kill()
	settle(0)
	servers[1].Kill()
	if err := save(1, 2*time.Second); err == nil {
		t.Error("one node of three stored a write")
	}
	if token, err := c.Token(t.Context()); err != nil || token.AccessToken.Reveal() != "A" {
		t.Errorf("Token: %v", err)
	}
	servers[0].Restart()
	settle(1)
}

// Two Watches of one Store move one cursor: one that begins beside the other, or after
// both, is told also of what the other had been told before.
func TestTwoWatches(t *testing.T) {
	t.Parallel()
	endpoints, _ := enginetest.Etcd(t, 1)
	s, other := open(t, endpoints, etcdstore.Options{}), open(t, endpoints, etcdstore.Options{})
	if _, err := s.Load(t.Context(), []string{"a", "b"}); err != nil {
		t.Fatal(err)
	}
	// watch gives what a Watch tells, one at a time, and how to end it.
	watch := func() (toldc chan string, end func()) {
		ctx, cancel := context.WithCancel(t.Context())
		toldc, donec := make(chan string), make(chan struct{})
		go func() {
			defer close(donec)
			_ = s.Watch(ctx, func(name string, _ uint64) {
				select {
				case toldc <- name:
				case <-ctx.Done():
				}
			})
		}()
		return toldc, func() { cancel(); <-donec }
	}
	save := func(name string) {
		if err := other.Save(t.Context(), []manager.Write{write(name, 0)})[0]; err != nil {
			t.Fatal(err)
		}
	}
	until := func(who string, toldc chan string, name string) {
		t.Helper()
		for late := time.After(patience); ; {
			select {
			case told := <-toldc:
				if told == name {
					return
				}
			case <-late:
				t.Fatalf("%s is not told of %q", who, name)
			}
		}
	}

	one, endOne := watch()
	save("a")
	save("b")
	until("the first", one, "b") // the cursor is past "a" when the next is told
	save("c")
	until("the first", one, "c")
	two, endTwo := watch()
	until("the second, which began later,", two, "a")
	save("d") // the first is told of it no more
	save("e")
	until("the second", two, "e")
	save("f")
	until("the second", two, "f")
	endOne()
	one, endOne = watch()
	until("the first, which broke off,", one, "d")
	endOne()
	endTwo()
}
