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

// A world is what a login meets: a store or none, and how long a save takes.
var worlds = map[string]func() manager.Config{
	"no store":     func() manager.Config { return manager.Config{} },
	"instant save": func() manager.Config { return manager.Config{Store: newShelf()} },
	"slow save": func() manager.Config {
		store := newShelf()
		store.onSave = func(w manager.Write) error {
			if w.Snapshot.Login > 1 {
				time.Sleep(3 * time.Second) // the refresh's answer comes meanwhile
			}
			return nil
		}
		return manager.Config{Store: store}
	},
}

// Invariant 10: a login during a refresh wins.
func TestScenario16LoginDuringRefresh(t *testing.T) {
	for name, world := range worlds {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				config := world()
				old := &issuer{life: time.Hour, latency: 2 * time.Second, rotate: true}
				c := begin(t, config).Manage("billing", old)
				waitedc := renewing(t, c)
				mustInstall(t, c, login("B", "S", time.Hour))
				mustToken(t, c, "B")
				if got := <-waitedc; got.err != nil || got.token.AccessToken.Reveal() != "B" {
					t.Errorf("who waited for the refresh got %v, %v, want the token of the login, B", got.token, got.err)
				}
				time.Sleep(10 * time.Second)
				if token := mustToken(t, c, "B"); token.Login() != 2 || token.RefreshToken.Reveal() != "S" {
					t.Errorf("after the answer came: got %v", token)
				}
				if store, ok := config.Store.(*shelf); ok {
					store.expectStored(t, "billing", "B", "S")
				}
				old.expectCalls(t, 1)
				time.Sleep(time.Hour)
				if calls := old.book(); len(calls) != 2 || calls[1].prev != "S" {
					t.Errorf("refreshes: got %v, want the second to spend the login's refresh token", calls)
				}
			})
		})
	}
}

// Invariant 10: a logout during a refresh wins.
func TestScenario16LogoutDuringRefresh(t *testing.T) {
	for name, world := range worlds {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				config := world()
				old := &issuer{life: time.Hour, latency: 2 * time.Second, rotate: true}
				c := begin(t, config).Manage("billing", old)
				waitedc := renewing(t, c)
				if err := c.Forget(context.Background()); err != nil {
					t.Errorf("Forget: %v", err)
				}
				if got := <-waitedc; !errors.Is(got.err, manager.ErrLoginRequired) {
					t.Errorf("who waited for the refresh got %v, want ErrLoginRequired", got.err)
				}
				for range 3 {
					if err := refusal(t, c); !errors.Is(err, manager.ErrLoginRequired) {
						t.Errorf("after Forget: got %v, want ErrLoginRequired", err)
					}
					time.Sleep(time.Hour)
				}
				if got := c.Status(); got.State != manager.StateLoggedOut {
					t.Errorf("status: got %+v, want logged out", got)
				}
				if store, ok := config.Store.(*shelf); ok {
					if got := store.get("billing"); !got.Tombstone() || got.Login != 2 {
						t.Errorf("stored: got %+v, want a tombstone of login 2", got)
					}
				}
				old.expectCalls(t, 1)
				mustInstall(t, c, login("B", "S", time.Hour))
				mustToken(t, c, "B")
			})
		})
	}
}

// Invariant 10, rule 6c: the same in another process. The refresh's answer is
// dropped, and the newer state adopted.
func TestScenario33LoginInAnotherProcess(t *testing.T) {
	for name, test := range map[string]func(*testing.T, *tokentest.Server, *manager.Credential) string{
		"login": func(t *testing.T, srv *tokentest.Server, c *manager.Credential) string {
			again := enroll(srv)
			mustInstall(t, c, again)
			return again.AccessToken.Reveal()
		},
		"logout": func(t *testing.T, _ *tokentest.Server, c *manager.Credential) string {
			if err := c.Forget(context.Background()); err != nil {
				t.Errorf("Forget: %v", err)
			}
			return ""
		},
		"logout and login": func(t *testing.T, srv *tokentest.Server, c *manager.Credential) string {
			if err := c.Forget(context.Background()); err != nil {
				t.Errorf("Forget: %v", err)
			}
			again := enroll(srv)
			mustInstall(t, c, again)
			return again.AccessToken.Reveal()
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := server(t, tokentest.Options{Latency: 5 * time.Second})
				store, locker := newShelf(), newLeases(time.Minute)
				a := run(t, store, locker, manager.Config{}).Manage("billing", &spender{srv: srv})
				b := run(t, store, locker, manager.Config{}).Manage("billing", &spender{srv: srv})
				mustInstall(t, a, enroll(srv))
				rejected := mustToken(t, a, "")
				for range 3 { // so that the generation is far ahead of a new login's
					renewed, err := a.Renew(context.Background(), rejected)
					if err != nil {
						t.Fatal(err)
					}
					rejected = renewed
					time.Sleep(time.Minute)
				}
				type outcome struct {
					token *manager.Token
					err   error
				}
				outcomec := make(chan outcome)
				go func() {
					token, err := a.Renew(context.Background(), rejected)
					outcomec <- outcome{token, err}
				}()
				time.Sleep(time.Second)
				want := test(t, srv, b)
				got := <-outcomec
				switch {
				case want == "" && !errors.Is(got.err, manager.ErrLoginRequired):
					t.Errorf("who waited in the first process got %v, %v, want ErrLoginRequired", got.token, got.err)
				case want != "" && (got.err != nil || got.token.AccessToken.Reveal() != want):
					t.Errorf("who waited in the first process got %v, %v, want the login's token", got.token, got.err)
				}
				for _, c := range []*manager.Credential{a, b} {
					if want == "" {
						if err := refusal(t, c); !errors.Is(err, manager.ErrLoginRequired) {
							t.Errorf("after the logout: got %v, want ErrLoginRequired", err)
						}
						continue
					}
					mustToken(t, c, want)
				}
				synctest.Wait()
				if stored := store.get("billing"); stored.Token.AccessToken.Reveal() != want || !stored.Mark.IsZero() {
					t.Errorf("stored: got %+v, want what the other process wrote", stored)
				}
				expectServer(t, srv, 4)
			})
		})
	}
}
