//go:build unix

package trouble

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"example.com/tokenactor/internal/enginetest"
	"example.com/tokenactor/manager"
)

// While the engine is away a token in memory is served; a due renewal that would spend
// a refresh token waits; one that spends none goes ahead without a lease; and all goes
// on when the engine is back, without a restart of anything else.
func away(t *testing.T, e Engine) {
	for name, c := range map[string]struct{ away, back func(Instance, *Wire) }{
		"stopped": {func(i Instance, _ *Wire) { i.each((*enginetest.Process).Stop) },
			func(i Instance, _ *Wire) { i.each((*enginetest.Process).Continue) }},
		"killed": {func(i Instance, _ *Wire) { i.each((*enginetest.Process).Kill) },
			func(i Instance, _ *Wire) { i.each((*enginetest.Process).Restart) }},
		"cut": {func(_ Instance, w *Wire) { w.Cut() }, func(_ Instance, w *Wire) { w.Mend() }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			engine := e.Start(t)
			var w Wire
			awayOnce(t, engine, &w, func() { c.away(engine, &w) }, func() { c.back(engine, &w) })
		})
	}
}

func awayOnce(t *testing.T, engine Instance, w *Wire, leave, back func()) {
	failedc := make(chan manager.Event, 1000)
	m := manage(t, engine.Open(t, w, longLease), func(c *manager.Config) {
		c.SaveLimit = time.Second
		c.OnEvent = func(e manager.Event) {
			if e.Kind == manager.EventRefreshFailed {
				select {
				case failedc <- e:
				default:
				}
			}
		}
	})
	server := &issuer{life: hour, due: 3 * time.Second}
	rotating := m.Manage("rotating", server)
	var logins atomic.Int64
	plain := m.Manage("plain", manager.RefresherFunc(func(context.Context, string, manager.Token) (manager.Token, error) {
		return manager.Token{AccessToken: manager.NewSecret(fmt.Sprint("P", logins.Add(1)))}, nil
	}))
	ctx := wait(t)
	if err := rotating.Install(ctx, server.login("rotating")); err != nil {
		t.Fatal(err)
	}
	old, err := plain.Token(ctx)
	if err != nil {
		t.Fatal(err)
	}
	first, err := rotating.Token(ctx) // due in 3 s
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the lease was given up", func() bool { return engine.Holder(t, "rotating") == "" })

	leave()
	fresh, err := plain.Renew(ctx, old)
	if err != nil || fresh.AccessToken.Equal(old.AccessToken) {
		t.Errorf("Renew of what has no refresh token, while the engine is away: %v, %v", fresh, err)
	}
	for waits := false; !waits; {
		select {
		case e := <-failedc:
			if waits = e.Credential == "rotating"; waits {
				t.Logf("the due renewal: %v", e.Err)
			}
		case <-ctx.Done():
			t.Fatalf("nothing is said of the due renewal: %+v", rotating.Status())
		}
	}
	if token, err := rotating.Token(ctx); err != nil || token != first {
		t.Errorf("Token while the engine is away: %v, %v, want the one before", token, err)
	}
	if status := rotating.Status(); status.Err == nil {
		t.Errorf("Status says nothing of the engine: %+v", status)
	}
	server.check(t, 1)

	back()
	begun := time.Now()
	until(t, "renewed", func() bool {
		token, err := rotating.Token(ctx)
		if err != nil {
			t.Fatalf("Token when the engine is back: %v", err)
		}
		return token != first
	})
	t.Logf("renewed %v after the engine was back", time.Since(begun))
	other := manage(t, engine.Open(t, new(Wire), longLease)).Manage("plain", nil)
	until(t, "what was renewed without the engine is stored", func() bool {
		token, err := other.Token(ctx)
		if err != nil {
			t.Fatalf("what was renewed without the engine, read by another process: %v", err)
		}
		return token.AccessToken.Equal(fresh.AccessToken)
	})
}

// Many whose renewals fell due while the engine was away do not come back in one
// instant: back-off has spread them. Each spends its refresh token once.
func thunderingReturn(t *testing.T, e Engine) {
	const many = 64
	engine := e.Start(t)
	var w Wire
	failed := make(map[string]bool) // the hook's alone, until enough
	enoughc := make(chan struct{})
	m := manage(t, engine.Open(t, &w, longLease), func(c *manager.Config) {
		c.Policy.Backoff, c.Policy.BackoffMax = 2*time.Second, 4*time.Second
		c.OnEvent = func(e manager.Event) {
			if e.Kind != manager.EventRefreshFailed || len(failed) == many {
				return
			}
			if failed[e.Credential] = true; len(failed) == many {
				close(enoughc)
			}
		}
	})
	server := &issuer{life: hour}
	var all []*manager.Credential
	for i := range many {
		name := fmt.Sprint("tenant ", i)
		c := m.Manage(name, server)
		token := server.login(name)
		token.AccessToken, token.ExpiresIn, token.RefreshIn = manager.NewSecret("A0 "+name), hour, 5*time.Second
		if err := c.Install(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	w.Cut()
	select {
	case <-enoughc:
	case <-time.After(patience):
		t.Fatal("the failures are not said of all")
	}
	w.Mend()
	for _, c := range all {
		until(t, "renewed", func() bool {
			status := c.Status()
			return status.Generation > 1 && !status.Unsaved && !status.Refreshing
		})
	}
	server.check(t, many)
	server.mu.Lock()
	defer server.mu.Unlock()
	// With full jitter over 2 to 4 s no tenth of a second has more than a few
	// of them; a machine that stands still for a moment gathers some.
	most, first := 0, 0
	for last := range server.sent {
		for server.sent[last].Sub(server.sent[first]) > 100*time.Millisecond {
			first++
		}
		most = max(most, last-first+1)
	}
	spread := slices.MaxFunc(server.sent, time.Time.Compare).Sub(server.sent[0])
	t.Logf("%d renewals in %v, at most %d in 100 ms", many, spread, most)
	if most > many/2 {
		t.Errorf("%d of %d renewals came within 100 ms", most, many)
	}
}
