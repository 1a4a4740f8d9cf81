package postgresstore_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"example.com/tokenactor/internal/enginetest"
	"example.com/tokenactor/internal/enginetest/trouble"
	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist/postgresstore"
)

func TestTrouble(t *testing.T) {
	t.Parallel()
	trouble.Run(t, trouble.Engine{Start: func(tb testing.TB) trouble.Instance {
		url, server := enginetest.Postgres(tb)
		admin := connect(tb, url)
		return trouble.Instance{
			Processes: []*enginetest.Process{server},
			Open: func(tb testing.TB, w *trouble.Wire, lease time.Duration) manager.Store {
				return open(tb, connect(tb, url, through(w)), postgresstore.Options{Lease: lease})
			},
			Holder: func(tb testing.TB, name string) string { return leaseOf(tb, admin, name) },
		}
	}})
}

// through lets all connections of a pool go through w.
func through(w *trouble.Wire) func(*pgxpool.Config) {
	return func(c *pgxpool.Config) {
		c.ConnConfig.DialFunc = w.Dial
		c.ConnConfig.ConnectTimeout = 2 * time.Second
	}
}

// leaseOf gives who holds a lease; "": nobody.
func leaseOf(tb testing.TB, pool *pgxpool.Pool, name string) (owner string) {
	tb.Helper()
	const statement = `SELECT coalesce(max(owner), '') FROM tokenactor WHERE name = $1`
	if err := pool.QueryRow(tb.Context(), statement, []byte(name)).Scan(&owner); err != nil {
		tb.Fatal(err)
	}
	return owner
}
