package manager_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/tokentest"
)

// A locker whose leases are free, or held by a stranger who never gives them up.
type oneHolder struct {
	stopped func(name string) bool // the stranger holds it
	waiting atomic.Int64           // calls under way
	most    atomic.Int64
	order   chan string // the names asked for

	held, mostHeld atomic.Int64 // leases given out and not given up
}

func (l *oneHolder) Lock(ctx context.Context, name string) (manager.Lease, error) {
	l.most.Store(max(l.most.Load(), l.waiting.Add(1))) // the loop starts them one after the other
	defer l.waiting.Add(-1)
	if l.order != nil {
		l.order <- name
	}
	if l.stopped(name) {
		<-ctx.Done()
		return nil, fmt.Errorf("held by process 4711, stopped: %w", ctx.Err())
	}
	held := l.held.Add(1)
	for most := l.mostHeld.Load(); held > most && !l.mostHeld.CompareAndSwap(most, held); most = l.mostHeld.Load() {
	}
	return freeLease{l}, nil
}

type freeLease struct{ of *oneHolder }

func (freeLease) Remaining() time.Duration { return -1 }
func (freeLease) Lost() <-chan struct{}    { return nil }
func (l freeLease) Unlock(context.Context) error {
	l.of.held.Add(-1)
	return nil
}

// A caller behind a stopped sibling hears who holds the lease, in place of its own
// context's end; nothing is sent, and the sibling's release mends it.
func TestStoppedHolderIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := server(t, tokentest.Options{})
		var released atomic.Bool
		locker := &oneHolder{stopped: func(string) bool { return !released.Load() }}
		m := launch(t, manager.Config{Store: newShelf(), Locker: locker, Policy: manager.Policy{Window: -1}})
		defer m.Close()
		c := m.Manage("billing", &spender{srv: srv})
		mustInstall(t, c, enroll(srv))
		time.Sleep(2 * time.Hour)

		_, err := c.Token(within(t, time.Hour))
		var failed *manager.RefreshError
		if !errors.As(err, &failed) || failed.RetryAt.IsZero() || !strings.Contains(err.Error(), "process 4711") {
			t.Fatalf("Token behind a stopped holder: %v, want a RefreshError that names it and says when to try again", err)
		}
		expectServer(t, srv, 0)

		released.Store(true)
		time.Sleep(2 * time.Minute) // back-off
		mustToken(t, c, "")
		expectServer(t, srv, 1)
	})
}

// A login without a refresh token needs no lease: it goes ahead without.
func TestPlainLoginPassesAStoppedHolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		locker := &oneHolder{stopped: func(string) bool { return true }}
		m := launch(t, manager.Config{Store: newShelf(), Locker: locker})
		defer m.Close()
		c := m.Manage("billing", manager.RefresherFunc(func(context.Context, string, manager.Token) (manager.Token, error) {
			return login("a1", "", time.Hour), nil
		}))
		mustToken(t, c, "a1")
	})
}

// Thousands are due at once: the Locker is asked for a bounded number of leases,
// callers in need go first, and nobody is forgotten.
func TestWaitsForLeasesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const early, needed, bound = 3000, 20, 256
		var released atomic.Bool
		locker := &oneHolder{stopped: func(string) bool { return !released.Load() }, order: make(chan string, 10*early)}
		m := launch(t, manager.Config{Store: newShelf(), Locker: locker, Policy: manager.Policy{Jitter: -1, Group: "one server"}, PerGroup: 64})
		defer m.Close()
		var refreshes atomic.Int64
		refresher := manager.RefresherFunc(func(context.Context, string, manager.Token) (manager.Token, error) {
			refreshes.Add(1)
			return login("a2", "", time.Hour), nil
		})
		for i := range early {
			c := m.Manage(fmt.Sprintf("early %d", i), refresher)
			mustInstall(t, c, login("a1", "", time.Hour))
		}
		var cs []*manager.Credential
		for i := range needed {
			cs = append(cs, m.Manage(fmt.Sprintf("needed %d", i), refresher))
		}
		time.Sleep(55*time.Minute + time.Second) // the window opens for the early ones
		synctest.Wait()
		if got := locker.waiting.Load(); got != bound {
			t.Fatalf("calls of the Locker under way: got %d, want %d", got, bound)
		}
		for range bound {
			<-locker.order
		}
		together(needed, func(i int) {
			if _, err := cs[i].Token(within(t, time.Hour)); err != nil {
				t.Errorf("caller %d: %v", i, err)
			}
		})
		first := 0 // goroutines begin in any order
		for range bound {
			if strings.HasPrefix(<-locker.order, "needed") {
				first++
			}
		}
		if first != needed {
			t.Errorf("of %d callers in need %d were among the next %d asked for", needed, first, bound)
		}
		released.Store(true)
		time.Sleep(3 * time.Minute)
		if got := refreshes.Load(); got != early+needed {
			t.Errorf("refreshes: got %d, want %d", got, early+needed)
		}
		if got := locker.most.Load(); got > bound {
			t.Errorf("calls of the Locker at once: got %d, want at most %d", got, bound)
		}
	})
}

// A thousand logins are due at once. Some are refreshed and some are next; no lease is
// taken for the others, for who holds one keeps its siblings from refreshing, and a
// Locker may have a file open for it.
func TestLeasesHeldAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many, slots = 1000, 64
		locker := &oneHolder{stopped: func(string) bool { return false }}
		cs := rotating(t, locker, many, time.Second)
		together(many, func(i int) {
			if _, err := cs[i].Token(within(t, time.Minute)); err != nil {
				t.Errorf("caller %d: %v", i, err)
			}
		})
		// Four for each slot wait, one has the slot, and the answer of one is being saved.
		if got := locker.mostHeld.Load(); got > 6*slots {
			t.Errorf("leases held at once: %d, want at most %d", got, 6*slots)
		}
	})
}

// A sibling was stopped with hundreds of leases. Whoever needs another one gets it.
func TestStoppedHolderStarvesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const many, stuck = 1000, 300
		locker := &oneHolder{stopped: func(name string) bool { return name < fmt.Sprintf("login %04d", stuck) }}
		cs := rotating(t, locker, many, 10*time.Millisecond)
		var served atomic.Int64
		together(many, func(i int) {
			if _, err := cs[i].Token(within(t, 30*time.Second)); err == nil {
				served.Add(1)
			} else if i >= stuck {
				t.Errorf("caller %d, whose lease is free: %v", i, err)
			}
		})
		if got := served.Load(); got != many-stuck {
			t.Errorf("callers served: %d, want %d", got, many-stuck)
		}
	})
}

// rotating gives credentials whose tokens have to be refreshed, which takes so long.
func rotating(t *testing.T, locker manager.Locker, n int, takes time.Duration) (cs []*manager.Credential) {
	t.Helper()
	m := launch(t, manager.Config{Store: newShelf(), Locker: locker, Policy: manager.Policy{Window: -1, Group: "one server"}, PerGroup: 64})
	t.Cleanup(func() { m.Close() })
	refresher := manager.RefresherFunc(func(_ context.Context, name string, _ manager.Token) (manager.Token, error) {
		time.Sleep(takes)
		return login("a "+name, "r2 "+name, time.Hour), nil
	})
	for i := range n {
		c := m.Manage(fmt.Sprintf("login %04d", i), refresher)
		if err := c.Install(t.Context(), manager.Token{RefreshToken: manager.NewSecret("r1")}); err != nil {
			t.Fatal(err)
		}
		cs = append(cs, c)
	}
	return cs
}
