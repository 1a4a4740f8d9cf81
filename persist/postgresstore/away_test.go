package postgresstore_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"example.com/tokenactor/internal/enginetest"
	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist/postgresstore"
)

// While the engine is away a token in memory is served; a due renewal that would spend
// a refresh token waits; one that spends none goes ahead without a lease; and all goes
// on when the engine is back, without a restart of anything else.
func TestEngineAway(t *testing.T) {
	for _, c := range []struct {
		name       string
		away, back func(*enginetest.Process)
	}{
		{"stopped", (*enginetest.Process).Stop, (*enginetest.Process).Continue},
		{"killed", (*enginetest.Process).Kill, (*enginetest.Process).Restart},
	} {
		t.Run(c.name, func(t *testing.T) {
			url, engine := enginetest.Postgres(t)
			s := open(t, connect(t, url, func(c *pgxpool.Config) { c.ConnConfig.ConnectTimeout = 2 * time.Second }), postgresstore.Options{})
			failedc := make(chan manager.Event, 1000)
			m := manage(t, s, func(c *manager.Config) {
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
			server := &issuer{life: time.Hour, due: 5 * time.Second}
			rotating := m.Manage("rotating", server)
			var logins atomic.Int64
			plain := m.Manage("plain", manager.RefresherFunc(func(context.Context, string, manager.Token) (manager.Token, error) {
				return manager.Token{AccessToken: manager.NewSecret(fmt.Sprint("P", logins.Add(1)))}, nil
			}))
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if err := rotating.Install(ctx, server.login()); err != nil {
				t.Fatal(err)
			}
			first, err := rotating.Token(ctx) // due in 5 s
			if err != nil {
				t.Fatal(err)
			}
			old, err := plain.Token(ctx)
			if err != nil {
				t.Fatal(err)
			}

			c.away(engine)
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

			c.back(engine)
			begun := time.Now()
			for token := first; token == first; {
				if token, err = rotating.Token(ctx); err != nil {
					t.Fatalf("Token when the engine is back: %v", err)
				}
				time.Sleep(10 * time.Millisecond)
			}
			t.Logf("renewed %v after the engine was back", time.Since(begun))
			other := manage(t, open(t, connect(t, url), postgresstore.Options{})).Manage("plain", nil)
			for {
				token, err := other.Token(ctx)
				if err != nil {
					t.Fatalf("what was renewed without the engine, read by another process: %v", err)
				}
				if token.AccessToken.Equal(fresh.AccessToken) {
					break
				}
				time.Sleep(10 * time.Millisecond) // it is stored when the save is tried again
			}
		})
	}
}
