package manager_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/tokentest"
)

// server is a cruel authorization server that ends with the test.
func server(t *testing.T, options tokentest.Options) *tokentest.Server {
	t.Helper()
	srv := tokentest.New(options)
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Errorf("Close of the server: %v", err)
		}
	})
	return srv
}

// expectServer checks how many refresh tokens were accepted, and that none was
// spent twice.
func expectServer(t *testing.T, srv *tokentest.Server, refreshes int64) {
	t.Helper()
	got := srv.Stats()
	if got.Refreshes != refreshes || got.Reuses != 0 || got.MostAtOnce > 1 {
		t.Errorf("at the server: got %+v, want %d refreshes, one at a time, no reuse", got, refreshes)
	}
}

// Invariant 8: what an answer leaves unsaid stays as it was, in the store too.
func TestScenario13NoRefreshToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := server(t, tokentest.Options{NoRotation: true})
		store := newShelf()
		c := begin(t, manager.Config{Store: store}).Manage("billing", &spender{srv: srv})
		granted := enroll(srv)
		granted.Scope, granted.RefreshExpiry = "invoices", time.Now().Add(30*24*time.Hour)
		mustInstall(t, c, granted)
		refresh := granted.RefreshToken.Reveal()
		for want := range int64(3) {
			renewed, err := c.Renew(context.Background(), mustToken(t, c, ""))
			if err != nil {
				t.Fatalf("Renew %d: %v", want+1, err)
			}
			if got := renewed.RefreshToken.Reveal(); got != refresh {
				t.Errorf("refresh token after an answer without: got %q, want %q", got, refresh)
			}
			if renewed.Scope != "invoices" || !renewed.RefreshExpiry.Equal(granted.RefreshExpiry) {
				t.Errorf("after an answer without: got scope %q, refresh expiry %v", renewed.Scope, renewed.RefreshExpiry)
			}
			synctest.Wait()
			store.expectStored(t, "billing", renewed.AccessToken.Reveal(), refresh)
			expectServer(t, srv, want+1)
			time.Sleep(time.Minute)
		}
	})
}

// Invariant 9: a refused refresh token is not sent again, by nobody, until a login.
func TestScenario18InvalidGrant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := server(t, tokentest.Options{Latency: 20 * time.Millisecond})
		store := newShelf()
		config := manager.Config{Store: store, Policy: manager.Policy{Patience: -1}}
		first := launch(t, config)
		c := first.Manage("billing", &spender{srv: srv})
		mustInstall(t, c, enroll(srv))
		rejected := mustToken(t, c, "")
		srv.RevokeFamilies()
		errs := make([]error, 100)
		together(len(errs), func(i int) { _, errs[i] = c.Renew(context.Background(), rejected) })
		for i, err := range errs {
			if err != errs[0] || !errors.Is(err, manager.ErrLoginRequired) {
				t.Errorf("caller %d: got %v, want the same ErrLoginRequired as all", i, err)
			}
		}
		time.Sleep(24 * time.Hour)
		for range 10 {
			if err := refusal(t, c); !errors.Is(err, manager.ErrLoginRequired) || err.Lost {
				t.Errorf("later: got %v, want ErrLoginRequired, nothing lost", err)
			}
		}
		if got := c.Status(); got.State != manager.StateRefused || !got.NextAttempt.IsZero() || got.Err == nil {
			t.Errorf("status: got %+v, want refused, no next attempt, an error", got)
		}
		if err := first.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}

		c = begin(t, config).Manage("billing", &spender{srv: srv})
		time.Sleep(24 * time.Hour)
		if err := refusal(t, c); !errors.Is(err, manager.ErrLoginRequired) {
			t.Errorf("after a restart: got %v, want ErrLoginRequired", err)
		}
		if got := srv.Stats().TokenCalls; got != 1 {
			t.Errorf("calls of the token endpoint: got %d, want 1", got)
		}
		again := enroll(srv)
		mustInstall(t, c, again)
		mustToken(t, c, again.AccessToken.Reveal())
		time.Sleep(2 * time.Hour)
		mustToken(t, c, "")
		if refusal := store.get("billing").Refusals; len(refusal) > 0 {
			t.Errorf("stored after the login: got refusal %+v, want none", refusal)
		}
		expectServer(t, srv, 2)
	})
}
