package manager_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenactor/manager"
)

// An asker is a Refresher that says as whom it asks.
type asker struct {
	manager.Refresher
	request manager.TokenRequest
}

func (a asker) TokenRequest() manager.TokenRequest { return a.request }

// A clientServer knows one client: to any other it says invalid_grant (RFC 6749 section
// 5.2: the refresh token "was issued to another client"), and spends nothing.
type clientServer struct {
	mu    sync.Mutex
	asked []string // by whom
	n     int
}

func (s *clientServer) as(client string) manager.Refresher {
	return asker{manager.RefresherFunc(func(_ context.Context, _ string, prev manager.Token) (manager.Token, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.asked = append(s.asked, client)
		if client != "prod" || prev.RefreshToken.Reveal() != fmt.Sprint("R", s.n) {
			return manager.Token{}, manager.LoginRequired(errors.New("invalid_grant"))
		}
		s.n++
		return login(fmt.Sprint("A", s.n), fmt.Sprint("R", s.n), time.Hour), nil
	}), manager.TokenRequest{Client: client, Endpoint: "https://auth.example.com/token"}}
}

func (s *clientServer) count(client string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.asked {
		if c == client {
			n++
		}
	}
	return n
}

// Invariant 9: a start with a wrong client id is mended by the right one and a restart.
func TestScenario34WrongClientMended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, store := &clientServer{}, newShelf()
		start := func(client string) (*manager.Manager, *manager.Credential) {
			m := launch(t, manager.Config{Store: store})
			return m, m.Manage("billing", srv.as(client))
		}
		tool := launch(t, manager.Config{Store: store})
		mustInstall(t, tool.Manage("billing", nil), login("", "R0", 0))
		_ = tool.Close()

		for range 3 {
			m, c := start("staging")
			if err := refusal(t, c); !errors.Is(err, manager.ErrLoginRequired) {
				t.Errorf("the wrong client: got %v, want ErrLoginRequired", err)
			}
			_ = m.Close()
		}
		if got := srv.count("staging"); got != 1 {
			t.Errorf("requests of the wrong client over three starts: got %d, want 1", got)
		}
		m, c := start("prod")
		mustToken(t, c, "A1")
		_ = m.Close()
	})
}

// Invariant 9: of a fleet one process has the wrong client. It asks once for each refresh
// token, hears its refusal, and the others never do.
func TestOneProcessWithTheWrongClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, store, locks := &clientServer{}, newShelf(), newLeases(time.Minute)
		config := manager.Config{Store: store, Locker: locks}
		good := begin(t, config).Manage("billing", srv.as("prod"), manager.Policy{Window: time.Minute})
		mustInstall(t, good, login("", "R0", 0))
		mustToken(t, good, "A1")
		wrong := begin(t, config).Manage("billing", srv.as("staging"), manager.Policy{Window: 5 * time.Minute})
		mustToken(t, wrong, "A1") // the store has it
		for start := time.Now(); time.Since(start) < 5*time.Hour; time.Sleep(time.Minute) {
			mustToken(t, good, "")
			_, _ = wrong.Token(context.Background())
		}
		if got := srv.count("prod"); got != 6 {
			t.Errorf("refreshes of the right client in five hours: got %d, want 6", got)
		}
		if got := srv.count("staging"); got < 1 || got > 6 {
			t.Errorf("requests of the wrong client: got %d, want at most one for each refresh token", got)
		}
	})
}

// Five askers on one credential, four of them wrong: each asks once, although a record keeps
// four refusals.
func TestFiveAskers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, store := &clientServer{}, newShelf()
		names := []string{"a", "b", "c", "d", "e"}
		var all []*manager.Credential
		for _, name := range names {
			all = append(all, begin(t, manager.Config{Store: store}).Manage("billing", srv.as(name)))
		}
		mustInstall(t, all[0], login("", "R0", 0))
		for range 100 {
			for _, c := range all {
				_, _ = c.Token(context.Background())
			}
			time.Sleep(time.Minute)
		}
		for _, name := range names {
			if got := srv.count(name); got != 1 {
				t.Errorf("requests of %s: got %d, want 1", name, got)
			}
		}
		if got := store.get("billing").Refusals; len(got) != manager.MaxRefusals {
			t.Errorf("stored refusals: got %d, want %d", len(got), manager.MaxRefusals)
		}
		begun := time.Now()
		c := begin(t, manager.Config{Store: store}).Manage("billing", srv.as("prod"))
		mustToken(t, c, "A1")
		if took := time.Since(begun); took > 0 {
			t.Errorf("the right client waited %v for the refusals of others", took)
		}
	})
}

// A stored token is for what was asked for. Without a refresh token, which asking for another
// would spend, a restart with other scopes, or as another client, gets one of its own.
func TestOtherScopesOtherToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newShelf()
		n := 0
		run := func(refreshable bool, client string, scopes ...string) string {
			m := launch(t, manager.Config{Store: store})
			defer func() { _ = m.Close() }()
			c := m.Manage("billing", asker{manager.RefresherFunc(func(context.Context, string, manager.Token) (manager.Token, error) {
				n++
				token := manager.Token{AccessToken: manager.NewSecret(fmt.Sprint("T", n)), ExpiresIn: time.Hour}
				if refreshable {
					token.RefreshToken = manager.NewSecret(fmt.Sprint("R", n))
				}
				return token, nil
			}), manager.TokenRequest{Client: client, Endpoint: "https://auth.example.com/token", Scopes: scopes}})
			return mustToken(t, c, "").AccessToken.Reveal()
		}
		for i, test := range []struct {
			client string
			scopes []string
			want   string
		}{
			{"crawler", []string{"read", "admin"}, "T1"},
			{"crawler", []string{"admin", "read"}, "T1"}, // in any order
			{"crawler", []string{"read"}, "T2"},
			{"other", []string{"read"}, "T3"},
			{"other", []string{"read"}, "T3"},
		} {
			if got := run(false, test.client, test.scopes...); got != test.want {
				t.Errorf("start %d, as %s for %v: got %s, want %s", i+1, test.client, test.scopes, got, test.want)
			}
		}

		store = newShelf()
		n = 0
		run(true, "crawler", "admin")
		if got := run(true, "crawler", "read"); got != "T1" {
			t.Errorf("with a refresh token: got %s, want T1: another would spend it", got)
		}
	})
}

// Ten processes of two releases that ask for different scopes share one store for an hour and a
// half: each has a token for its own scopes at any time, and asks once in the life of it.
func TestTwoReleasesOneStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, locks := newShelf(), newLeases(time.Minute)
		counts := make([]int, 10)
		var all []*manager.Credential
		var mu sync.Mutex
		for i := range counts {
			scope := []string{"old", "new"}[i%2]
			all = append(all, begin(t, manager.Config{Store: store, Locker: locks}).Manage("billing",
				asker{manager.RefresherFunc(func(context.Context, string, manager.Token) (manager.Token, error) {
					mu.Lock()
					defer mu.Unlock()
					counts[i]++
					return manager.Token{AccessToken: manager.NewSecret(fmt.Sprint(scope, i, counts[i])), Scope: scope, ExpiresIn: time.Hour}, nil
				}), manager.TokenRequest{Client: "crawler", Endpoint: "https://auth.example.com/token", Scopes: []string{scope}}}))
		}
		for start := time.Now(); time.Since(start) < 90*time.Minute; time.Sleep(10 * time.Second) {
			for i, c := range all {
				if got := mustToken(t, c, ""); got.Scope != []string{"old", "new"}[i%2] {
					t.Fatalf("process %d got a token for %q", i, got.Scope)
				}
			}
		}
		for i, n := range counts {
			if n > 2 {
				t.Errorf("process %d asked %d times in a life and a half, want at most 2", i, n)
			}
		}
	})
}
