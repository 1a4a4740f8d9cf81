package tenure

import (
	"context"
	"errors"
	"io/fs"
	"testing"
	"time"
)

// A lease whose answer came too late to be of use is given up when its caller leaves
// before the next one.
func TestLeftAfterLateAnswer(t *testing.T) {
	trial(t, func(t *testing.T, e *engine, _ *Keeper) {
		k := New(e, 4*time.Second)
		defer k.Close()
		e.delay = 4500 * time.Millisecond // the engine has it for long: the answer only is late
		ctx, cancel := context.WithTimeout(t.Context(), 4500*time.Millisecond)
		defer cancel()
		go func() {
			time.Sleep(4400 * time.Millisecond)
			e.set(func() {
				e.delay = time.Millisecond
				h := e.holders["a"]
				h.until = h.until.Add(life)
				e.holders["a"] = h
			})
		}()
		if l, err := k.Lock(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Lock: %v, %v, want its context's error", l, err)
		}
		if who := e.holder("a"); who != "" {
			t.Errorf("the lease is with %q", who)
		}
	})
}

// A Keeper that is closed while the engine answers makes no lease and leaves none.
func TestClosedWhileAsking(t *testing.T) {
	trial(t, func(t *testing.T, e *engine, k *Keeper) {
		e.delay = time.Second
		go func() {
			time.Sleep(time.Millisecond)
			k.Close()
		}()
		if l, err := k.Lock(t.Context(), "a"); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("Lock whose Keeper was closed: %v, %v, want fs.ErrClosed", l, err)
		}
		if who := e.holder("a"); who != "" {
			t.Errorf("the lease is with %q", who)
		}
	})
}

// An engine that hangs ends a lease in time too.
func TestEngineHangs(t *testing.T) {
	trial(t, func(t *testing.T, e *engine, k *Keeper) {
		l := mustLock(t, k, "a")
		begun := time.Now()
		e.set(func() { e.delay = time.Hour })
		<-l.Lost()
		if got := time.Since(begun); got > life {
			t.Errorf("the lease was said to be lost %v after it was taken, want less than its life of %v", got, life)
		}
	})
}

// An engine that was stopped hears of a Lock when its caller has left, and of its end
// before that. The next Lock does not wait for a life.
func TestHeardLater(t *testing.T) {
	trial(t, func(t *testing.T, e *engine, k *Keeper) {
		e.set(func() { e.away = true })
		if _, err := k.Lock(t.Context(), "a"); !errors.Is(err, errAway) {
			t.Fatalf("Lock at an engine that is away: %v", err)
		}
		for claim := range k.left {
			e.set(func() { e.away, e.holders["a"] = false, holding{claim.Owner, time.Now().Add(life)} })
		}
		if e.away {
			t.Fatal("who left is not remembered")
		}
		begun := time.Now()
		l := mustLock(t, k, "a")
		if got := time.Since(begun); got > life/2 {
			t.Errorf("Lock behind one's own that was heard later took %v", got)
		}
		_ = l.Unlock(t.Context())
	})
}
