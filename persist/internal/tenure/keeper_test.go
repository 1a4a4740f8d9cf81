package tenure

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"example.com/tokenactor/manager"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const life = time.Minute

var errAway = errors.New("the engine is away")

// An engine in memory, whose clock is the test's.
type engine struct {
	mu      sync.Mutex
	holders map[string]holding
	away    bool
	delay   time.Duration // of each answer
	extends int
	keeper  *Keeper // told of freed leases; nil: nobody is
}

type holding struct {
	owner string
	until time.Time
}

func (e *engine) ask(ctx context.Context) error {
	e.mu.Lock()
	away, delay := e.away, e.delay
	e.mu.Unlock()
	if away {
		return errAway
	}
	select {
	case <-time.After(delay):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (e *engine) Take(ctx context.Context, name, owner string, life time.Duration) (bool, string, time.Duration, error) {
	e.mu.Lock()
	h, ok := e.holders[name]
	if ok && time.Now().Before(h.until) {
		e.mu.Unlock()
		return false, h.owner, time.Until(h.until), e.ask(ctx)
	}
	if !e.away {
		e.holders[name] = holding{owner, time.Now().Add(life)}
	}
	e.mu.Unlock()
	return true, "", 0, e.ask(ctx)
}

func (e *engine) Extend(ctx context.Context, claims []Claim, life time.Duration) ([]bool, error) {
	if err := e.ask(ctx); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.extends++
	still := make([]bool, len(claims))
	for i, c := range claims {
		if h := e.holders[c.Name]; h.owner == c.Owner && time.Now().Before(h.until) {
			e.holders[c.Name] = holding{c.Owner, time.Now().Add(life)}
			still[i] = true
		}
	}
	return still, nil
}

func (e *engine) Free(ctx context.Context, c Claim) error {
	if err := e.ask(ctx); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.holders[c.Name].owner == c.Owner {
		delete(e.holders, c.Name)
		if e.keeper != nil {
			e.keeper.Freed(c.Name)
		}
	}
	return nil
}

func (e *engine) holder(name string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if h := e.holders[name]; time.Now().Before(h.until) {
		return h.owner
	}
	return ""
}

func (e *engine) set(f func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f()
}

func trial(t *testing.T, f func(t *testing.T, e *engine, k *Keeper)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		e := &engine{holders: make(map[string]holding)}
		k := New(e, life)
		defer k.Close()
		f(t, e, k)
	})
}

func mustLock(t *testing.T, k *Keeper, name string) manager.Lease {
	t.Helper()
	l, err := k.Lock(t.Context(), name)
	if err != nil {
		t.Fatalf("Lock(%q): %v", name, err)
	}
	return l
}

func lost(l manager.Lease) bool {
	select {
	case <-l.Lost():
		return true
	default:
		return false
	}
}

// Held leases live as long as the engine answers, in one round trip for all.
func TestRenewedTogether(t *testing.T) {
	trial(t, func(t *testing.T, e *engine, k *Keeper) {
		var held []manager.Lease
		for i := range 100 {
			held = append(held, mustLock(t, k, fmt.Sprint(i)))
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(time.Hour)
		for i, l := range held {
			if lost(l) || l.Remaining() < life/2 || e.holder(fmt.Sprint(i)) == "" {
				t.Fatalf("lease %d after an hour: lost %t, remaining %v", i, lost(l), l.Remaining())
			}
		}
		if want := int(time.Hour / (life / 3)); e.extends > want+1 {
			t.Errorf("renewals in an hour: %d, want %d for all", e.extends, want)
		}
		for _, l := range held {
			if err := l.Unlock(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		before := e.extends
		time.Sleep(time.Hour)
		if e.extends != before {
			t.Errorf("renewals without a lease: %d", e.extends-before)
		}
	})
}

// An engine that is away ends a lease before the engine does; one that comes back
// in time does not.
func TestEngineAway(t *testing.T) {
	for _, away := range []time.Duration{life / 2, 2 * life} {
		trial(t, func(t *testing.T, e *engine, k *Keeper) {
			l := mustLock(t, k, "a")
			time.Sleep(time.Second)
			e.set(func() { e.away = true })
			begun := time.Now()
			select {
			case <-l.Lost():
				if e.holder("a") == "" {
					t.Error("the engine freed the lease before its holder knew")
				}
				if l.Remaining() != 0 {
					t.Errorf("Remaining of a lost lease: %v", l.Remaining())
				}
			case <-time.After(away):
			}
			if got, want := lost(l), away > life; got != want {
				t.Errorf("away for %v: lost %t after %v, want %t", away, got, time.Since(begun), want)
			}
			e.set(func() { e.away = false })
			time.Sleep(life)
			if got := e.holder("a") != ""; got == lost(l) {
				t.Errorf("away for %v: the engine has it held %t, its holder lost %t", away, got, lost(l))
			}
		})
	}
}

// A lease that somebody else has by now is lost at the next renewal, and giving it up
// frees nobody.
func TestTakenAway(t *testing.T) {
	trial(t, func(t *testing.T, e *engine, k *Keeper) {
		l := mustLock(t, k, "a")
		e.set(func() { e.holders["a"] = holding{"other", time.Now().Add(10 * life)} })
		time.Sleep(life / 2)
		if !lost(l) {
			t.Error("a lease that was taken away is not lost after a renewal")
		}
		if _, err := k.Admit(under(l)); !errors.Is(err, manager.ErrLeaseLost) {
			t.Errorf("Admit of a lost lease: %v, want ErrLeaseLost", err)
		}
		if err := l.Unlock(t.Context()); err != nil || e.holder("a") != "other" {
			t.Errorf("Unlock of a lost lease: %v, holder %q", err, e.holder("a"))
		}
	})
}

// Who waits gets the lease when its holder gives it up, and when that has died, at
// its end; and hears who has it when its own time is up.
func TestWaiting(t *testing.T) {
	trial(t, func(t *testing.T, e *engine, k *Keeper) {
		e.keeper = k
		k.Informed(true)
		other := New(e, life)
		defer other.Close()
		held := mustLock(t, other, "a")
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, err := k.Lock(ctx, "a")
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), other.holder) {
			t.Errorf("Lock whose time is up: %v, want one that names %q", err, other.holder)
		}

		begun := time.Now()
		go func() {
			time.Sleep(10 * time.Second)
			_ = held.Unlock(context.Background())
		}()
		l := mustLock(t, k, "a")
		if got := time.Since(begun); got != 10*time.Second {
			t.Errorf("Lock behind one that is given up after 10 s took %v", got)
		}
		_ = l.Unlock(t.Context())

		mustLock(t, other, "a")
		other.Close() // as a process that dies: nothing is given up
		begun = time.Now()
		l = mustLock(t, k, "a")
		if got := time.Since(begun); got > life+askAgain {
			t.Errorf("Lock behind one that died took %v", got)
		}
		_ = l.Unlock(t.Context())
		if len(k.waiting) > 0 {
			t.Errorf("%d names are waited for by nobody", len(k.waiting))
		}
	})
}

// A Lock that ends while the engine answers leaves no lease behind.
func TestLeftWhileAsking(t *testing.T) {
	trial(t, func(t *testing.T, e *engine, k *Keeper) {
		e.delay = time.Second
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if l, err := k.Lock(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Lock: %v, %v, want its context's error", l, err)
		}
		if who := e.holder("a"); who != "" {
			t.Errorf("the lease is with %q", who)
		}
	})
}

// An answer that came after most of the lease's life makes no lease.
func TestLateAnswer(t *testing.T) {
	trial(t, func(t *testing.T, e *engine, _ *Keeper) {
		k := New(e, askLimit)
		defer k.Close()
		e.delay = askLimit - time.Millisecond
		go func() {
			time.Sleep(time.Second)
			e.set(func() { e.delay = 0 })
		}()
		l := mustLock(t, k, "a")
		if l.Remaining() < askLimit/2 {
			t.Errorf("Remaining of a lease whose answer came late: %v", l.Remaining())
		}
	})
}

// An engine that does not answer is an error in time, not a lease that is held.
func TestNoAnswer(t *testing.T) {
	trial(t, func(t *testing.T, e *engine, k *Keeper) {
		e.delay = time.Hour
		begun := time.Now()
		if _, err := k.Lock(t.Context(), "a"); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) > askLimit+cleanUp {
			t.Errorf("Lock at an engine that does not answer: %v after %v", err, time.Since(begun))
		}
	})
}

func TestClosed(t *testing.T) {
	trial(t, func(t *testing.T, _ *engine, k *Keeper) {
		l := mustLock(t, k, "a")
		if _, err := New(nil, life).Admit(under(l)); !errors.Is(err, ErrNoLease) {
			t.Errorf("Admit of another Keeper's lease: %v, want ErrNoLease", err)
		}
		k.Close()
		if !lost(l) || l.Remaining() != 0 {
			t.Error("a lease outlives its Keeper")
		}
		if _, err := k.Lock(t.Context(), "b"); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("Lock after Close: %v, want fs.ErrClosed", err)
		}
	})
}

// under is a write of "a" under a lease.
func under(l manager.Lease) *manager.Write {
	return &manager.Write{Name: "a", Lease: l, Snapshot: manager.Snapshot{Revision: 1}}
}
