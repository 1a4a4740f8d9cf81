package manager_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenactor/manager"
)

// A registrar is an issuer that revokes too, and keeps book of it.
type registrar struct {
	issuer
	revoke func(ctx context.Context) error // nil: at once, and well

	mu      sync.Mutex
	revoked []string // name, access token, refresh token
	inside  int
	most    int
}

func (r *registrar) Revoke(ctx context.Context, name string, t manager.Token) error {
	r.mu.Lock()
	r.revoked = append(r.revoked, fmt.Sprintf("%s %s %s", name, t.AccessToken.Reveal(), t.RefreshToken.Reveal()))
	r.inside++
	r.most = max(r.most, r.inside)
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		r.inside--
		r.mu.Unlock()
	}()
	if r.revoke == nil {
		return nil
	}
	return r.revoke(ctx)
}

func (r *registrar) expectRevoked(t *testing.T, want ...string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Equal(r.revoked, want) {
		t.Errorf("revoked: got %q, want %q", r.revoked, want)
	}
}

// kinds collects the kinds of events.
func kinds(t *testing.T, config *manager.Config) func() []manager.EventKind {
	var mu sync.Mutex
	var list []manager.EventKind
	config.OnEvent = func(e manager.Event) {
		mu.Lock()
		defer mu.Unlock()
		list = append(list, e.Kind)
	}
	return func() []manager.EventKind {
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(list)
	}
}

// A logout ends the login at its server too, after the tombstone is stored, and
// Forget does not wait for that.
func TestForgetRevokes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newShelf()
		config := manager.Config{Store: store}
		happened := kinds(t, &config)
		r := &registrar{issuer: issuer{life: time.Hour}, revoke: func(context.Context) error {
			if stored := store.get("billing"); !stored.Tombstone() {
				t.Error("revoked before the tombstone was stored")
			}
			time.Sleep(5 * time.Second)
			return nil
		}}
		c := begin(t, config).Manage("billing", r)
		mustInstall(t, c, login("A", "R", time.Hour))
		start := time.Now()
		if err := c.Forget(context.Background()); err != nil {
			t.Fatal(err)
		}
		if wait := time.Since(start); wait != 0 {
			t.Errorf("Forget waited %v for the revocation", wait)
		}
		time.Sleep(10 * time.Second)
		r.expectRevoked(t, "billing A R")
		want := []manager.EventKind{manager.EventInstalled, manager.EventForgotten, manager.EventRevoked}
		if got := happened(); !slices.Equal(got, want) {
			t.Errorf("events: got %v, want %v", got, want)
		}
		if err := c.Forget(context.Background()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		r.expectRevoked(t, "billing A R") // there is nothing left to revoke
	})
}

// Another process has renewed meanwhile: what it stored is what is revoked.
func TestForgetRevokesWhatIsStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newShelf()
		r := &registrar{issuer: issuer{life: time.Hour}}
		ours := begin(t, manager.Config{Store: store}).Manage("billing", r)
		mustInstall(t, ours, login("A", "R", time.Hour))
		theirs := begin(t, manager.Config{Store: store}).Manage("billing", &registrar{})
		mustInstall(t, theirs, login("B", "S", time.Hour))
		if err := ours.Forget(context.Background()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		r.expectRevoked(t, "billing B S")
	})
}

// A refresh was under way at the logout: its answer is dropped, and ended too.
func TestForgetRevokesTheDroppedAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &registrar{issuer: issuer{life: time.Hour, rotate: true, latency: 2 * time.Second}}
		c := begin(t, manager.Config{Store: newShelf()}).Manage("billing", r)
		waitedc := renewing(t, c)
		if err := c.Forget(context.Background()); err != nil {
			t.Fatal(err)
		}
		if got := <-waitedc; !errors.Is(got.err, manager.ErrLoginRequired) {
			t.Errorf("who waited for the refresh got %v, want ErrLoginRequired", got.err)
		}
		time.Sleep(10 * time.Second)
		r.expectRevoked(t, "billing A R", "billing T1 R1")
	})
}

// A revocation that fails, panics or never ends is told of, and harms nobody.
func TestRevocationFails(t *testing.T) {
	for name, test := range map[string]struct {
		revoke func(ctx context.Context) error
		after  time.Duration
		err    string
	}{
		"fails":  {func(context.Context) error { return errors.New("no such token") }, 0, "no such token"},
		"panics": {func(context.Context) error { panic("at the disco") }, 0, "manager: panic in user code: at the disco"},
		"hangs":  {func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, 30 * time.Second, "context deadline exceeded"},
	} {
		synctest.Test(t, func(t *testing.T) {
			eventc := make(chan manager.Event, 10)
			m := begin(t, manager.Config{OnEvent: func(e manager.Event) {
				if e.Kind == manager.EventRevokeFailed {
					eventc <- e
				}
			}})
			c := m.Manage("billing", &registrar{revoke: test.revoke})
			mustInstall(t, c, login("A", "R", time.Hour))
			start := time.Now()
			if err := c.Forget(context.Background()); err != nil {
				t.Fatal(err)
			}
			mustInstall(t, c, login("B", "S", time.Hour))
			mustToken(t, c, "B")
			if e := <-eventc; e.Err.Error() != test.err || time.Since(start) != test.after {
				t.Errorf("%s: got %v after %v, want %s after %v", name, e.Err, time.Since(start), test.err, test.after)
			}
			mustToken(t, c, "B")
		})
	}
}

// Close waits for a revocation under way; Shutdown whose patience ends does not,
// and names it.
func TestCloseWaitsForRevocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := manager.Config{}
		happened := kinds(t, &config)
		r := &registrar{revoke: func(context.Context) error { time.Sleep(5 * time.Second); return nil }}
		m := launch(t, config)
		c := m.Manage("billing", r)
		mustInstall(t, c, login("A", "R", time.Hour))
		if err := c.Forget(context.Background()); err != nil {
			t.Fatal(err)
		}
		if err := m.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if got := happened(); !slices.Contains(got, manager.EventRevoked) {
			t.Errorf("events before the end of Close: got %v, want the revocation among them", got)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		r := &registrar{revoke: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}
		m := launch(t, manager.Config{})
		c := m.Manage("billing", r)
		mustInstall(t, c, login("A", "R", time.Hour))
		if err := c.Forget(context.Background()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		err := m.Shutdown(ctx)
		if named, ok := errors.AsType[*manager.NameError](err); !ok || named.Name != "billing" || !errors.Is(err, manager.ErrTimeLimit) {
			t.Errorf("Shutdown: got %v, want the name of the credential and ErrTimeLimit", err)
		}
	})
}

// A hundred logouts do not become a hundred requests at once.
func TestRevocationsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &registrar{revoke: func(context.Context) error { time.Sleep(20 * time.Second); return nil }}
		m := begin(t, manager.Config{})
		for i := range 100 {
			c := m.Manage(fmt.Sprint("tenant ", i), r)
			mustInstall(t, c, login("A", "R", time.Hour))
			if err := c.Forget(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(3 * time.Minute) // the time limit counts from each one's turn
		r.mu.Lock()
		defer r.mu.Unlock()
		if len(r.revoked) != 100 || r.inside != 0 || r.most != 16 {
			t.Errorf("got %d revocations, %d under way, %d at once, want 100, none, 16", len(r.revoked), r.inside, r.most)
		}
	})
}

// A relative life of the refresh token is counted from the sending, or from the
// login, and is a date from then on: in Status, in the store, and for the warning.
func TestRefreshExpiresIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newShelf()
		config := manager.Config{Store: store}
		happened := kinds(t, &config)
		r := &issuer{latency: 10 * time.Second, answer: func(_ context.Context, n int, _ manager.Token) (manager.Token, error) {
			return manager.Token{AccessToken: manager.NewSecret("T"), RefreshToken: manager.NewSecret("S"),
				ExpiresIn: 100 * time.Hour, RefreshExpiresIn: 50 * time.Hour}, nil
		}}
		c := begin(t, config).Manage("billing", r)
		start := time.Now()
		first := login("A", "R", time.Hour)
		first.RefreshExpiresIn = 10 * time.Hour
		mustInstall(t, c, first)
		expect := func(want time.Time) {
			t.Helper()
			if got := c.Status().RefreshExpiry; !got.Equal(want) {
				t.Errorf("status: got %v, want %v", got, want)
			}
			if got := store.get("billing").Token; !got.RefreshExpiry.Equal(want) || got.RefreshExpiresIn != 0 {
				t.Errorf("stored: got %v and %v, want %v and 0", got.RefreshExpiry, got.RefreshExpiresIn, want)
			}
		}
		expect(start.Add(10 * time.Hour))

		start = time.Now()
		if _, err := c.Renew(context.Background(), mustToken(t, c, "A")); err != nil {
			t.Fatal(err)
		}
		expect(start.Add(50 * time.Hour))
		time.Sleep(time.Until(start.Add(44 * time.Hour)))
		if got := happened(); slices.Contains(got, manager.EventDying) {
			t.Errorf("events: got %v, want no warning before the last tenth", got)
		}
		time.Sleep(2 * time.Hour)
		if got := happened(); !slices.Contains(got, manager.EventDying) {
			t.Errorf("events: got %v, want the warning", got)
		}
	})
}
