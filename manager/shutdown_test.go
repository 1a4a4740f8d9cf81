package manager_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenactor/manager"
)

// Invariant 12: Close during a refresh that spends a refresh token, and during the
// save of its answer.
func TestScenario26CloseDuringRefreshAndSave(t *testing.T) {
	for name, moment := range map[string]time.Duration{"refresh": 2 * time.Second, "save of the mark": 500 * time.Millisecond, "save of the answer": 4500 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := newShelf()
				slow := &issuer{life: time.Hour, latency: 3 * time.Second, rotate: true}
				m := launch(t, manager.Config{Store: store})
				c := m.Manage("billing", slow)
				mustInstall(t, c, login("A", "R", time.Hour))
				rejected := mustToken(t, c, "A")
				store.onSave = func(manager.Write) error { time.Sleep(time.Second); return nil }
				waitedc := make(chan error)
				for range 10 {
					go func() {
						_, err := c.Renew(context.Background(), rejected)
						waitedc <- err
					}()
				}
				time.Sleep(moment)
				closedc := make(chan error)
				for range 3 {
					go func() { closedc <- m.Close() }()
				}
				synctest.Wait()
				start := time.Now()
				for range 10 {
					if err := <-waitedc; !errors.Is(err, manager.ErrClosed) {
						t.Errorf("who waited got %v, want ErrClosed", err)
					}
				}
				if _, err := c.Token(context.Background()); err != manager.ErrClosed {
					t.Errorf("Token: got %v, want ErrClosed", err)
				}
				if waited := time.Since(start); waited != 0 {
					t.Errorf("callers were held for %v, want none", waited)
				}
				for range 3 {
					if err := <-closedc; err != nil {
						t.Errorf("Close: %v", err)
					}
				}
				if name == "save of the mark" {
					store.expectStored(t, "billing", "A", "R")
					slow.expectCalls(t, 0)
					return
				}
				store.expectStored(t, "billing", "T1", "R1")
				slow.expectCalls(t, 1)
			})
		})
	}
}

// Invariant 12: after Close every call of every kind is answered.
func TestScenario26CallsAfterClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := launch(t, manager.Config{Store: newShelf()})
		used, unused := m.Manage("used", &issuer{life: time.Hour}), m.Manage("unused", &issuer{life: time.Hour})
		token := mustToken(t, used, "T1")
		if err := m.Close(); err != nil {
			t.Fatalf("Close: %v", err)
		}
		for _, c := range []*manager.Credential{used, unused, m.Manage("new", &issuer{})} {
			ctx := context.Background()
			_, tokenErr := c.Token(ctx)
			_, renewErr := c.Renew(ctx, token)
			for call, err := range map[string]error{"Token": tokenErr, "Renew": renewErr, "Install": c.Install(ctx, login("A", "", 0)), "Forget": c.Forget(ctx)} {
				if err != manager.ErrClosed {
					t.Errorf("%s of %q after Close: got %v, want ErrClosed", call, c.Name(), err)
				}
			}
			c.Replayed(token, true)
			c.Release()
			if got := c.Status().State; got != manager.StateClosed {
				t.Errorf("status of %q: got %v, want closed", c.Name(), got)
			}
		}
		if err := m.Close(); err != nil {
			t.Errorf("Close again: %v", err)
		}
	})
}

// Invariant 12: a refresh without a refresh token harms nobody and is cancelled.
func TestScenario26CloseCancelsPlainRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := launch(t, manager.Config{})
		endedc := make(chan error, 1)
		c := m.Manage("billing", manager.RefresherFunc(func(ctx context.Context, _ string, _ manager.Token) (manager.Token, error) {
			<-ctx.Done()
			endedc <- ctx.Err()
			return manager.Token{}, ctx.Err()
		}))
		go func() { _, _ = c.Token(context.Background()) }()
		synctest.Wait()
		start := time.Now()
		if err := m.Close(); err != nil || time.Since(start) != 0 || len(endedc) != 1 {
			t.Errorf("Close: got %v after %v, the refresh ended: %v; want nil at once, true", err, time.Since(start), len(endedc) == 1)
		}
	})
}

// Invariant 12: what could not be saved is named.
func TestScenario26UnsavedIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newShelf()
		m := launch(t, manager.Config{Store: store})
		store.onSave = func(w manager.Write) error {
			if w.Name != "good" {
				return errors.New("the disk is full")
			}
			return nil
		}
		for _, name := range []string{"first", "good", "second"} {
			err := m.Manage(name, &issuer{}).Install(context.Background(), login("A", "R", time.Hour))
			if errors.Is(err, manager.ErrNotSaved) != (name != "good") {
				t.Errorf("Install of %q: got %v", name, err)
			}
		}
		err := m.Close()
		if !errors.Is(err, manager.ErrNotSaved) {
			t.Fatalf("Close: got %v, want ErrNotSaved", err)
		}
		var names []string
		for _, part := range err.(interface{ Unwrap() []error }).Unwrap() {
			e, ok := errors.AsType[*manager.NameError](part)
			if !ok {
				t.Fatalf("Close: got a part %v, want NameErrors", part)
			}
			names = append(names, e.Name)
		}
		slices.Sort(names)
		if got := fmt.Sprint(names); got != "[first second]" {
			t.Errorf("Close names %s, want [first second]", got)
		}
	})
}

// Invariants 12 and 13: a store that hangs holds up Close as long as its limits say,
// and Shutdown as long as its context.
func TestScenario26StoreHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newShelf()
		m := launch(t, manager.Config{Store: store})
		c := m.Manage("billing", &issuer{life: time.Hour, rotate: true})
		mustInstall(t, c, login("A", "R", time.Hour))
		releasec := make(chan struct{})
		store.onSave = func(manager.Write) error { <-releasec; return nil }
		installedc := make(chan error)
		go func() { installedc <- c.Install(context.Background(), login("B", "S", time.Hour)) }()
		synctest.Wait()
		start := time.Now()
		err := m.Shutdown(within(t, 2*time.Second))
		named, ok := errors.AsType[*manager.NameError](err)
		if took := time.Since(start); !ok || named.Name != "billing" || !errors.Is(err, manager.ErrNotSaved) || took != 2*time.Second {
			t.Errorf("Shutdown: got %v after %v, want ErrNotSaved of billing after 2s", err, took)
		}
		if err := <-installedc; err != manager.ErrClosed {
			t.Errorf("Install: got %v, want ErrClosed", err)
		}
		close(releasec)
	})
}

// Section 5: Release finishes a refresh that spends, frees the name and leaves the store alone.
func TestReleaseDuringRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newShelf()
		slow := &issuer{life: time.Hour, latency: 3 * time.Second, rotate: true}
		m := begin(t, manager.Config{Store: store})
		c := m.Manage("billing", slow)
		waitedc := renewing(t, c)
		c.Release()
		if got := <-waitedc; got.err != manager.ErrReleased {
			t.Errorf("who waited got %v, want ErrReleased", got.err)
		}
		if m.Manage("billing", slow) != c {
			t.Error("Manage gave a second credential while the first was at work")
		}
		time.Sleep(3 * time.Second)
		store.expectStored(t, "billing", "T1", "R1")
		again := m.Manage("billing", slow)
		if again == c {
			t.Error("Manage gave the released credential")
		}
		mustToken(t, again, "T1")
		if _, err := c.Token(context.Background()); err != manager.ErrReleased {
			t.Errorf("Token of the released: got %v, want ErrReleased", err)
		}
		if got := c.Status().State; got != manager.StateReleased {
			t.Errorf("status of the released: got %v", got)
		}
		c.Release()
		mustToken(t, again, "T1")
		slow.expectCalls(t, 1)
	})
}
