package postgresstore_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/goleak"

	"example.com/tokenactor/internal/enginetest"
	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist/persisttest"
	"example.com/tokenactor/persist/postgresstore"
	"example.com/tokenactor/persist/record"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// connect gives a pool that ends with the test.
func connect(tb testing.TB, url string, change ...func(*pgxpool.Config)) *pgxpool.Pool {
	tb.Helper()
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		tb.Fatal(err)
	}
	for _, f := range change {
		f(config)
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(pool.Close)
	return pool
}

// open gives a store of a pool, as another process would have. Its table is there.
func open(tb testing.TB, pool *pgxpool.Pool, o postgresstore.Options) *postgresstore.Store {
	tb.Helper()
	s, err := postgresstore.New(pool, o)
	if err == nil {
		err = s.CreateTable(tb.Context())
	}
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() })
	return s
}

func exec(tb testing.TB, pool *pgxpool.Pool, statement string, args ...any) {
	tb.Helper()
	if _, err := pool.Exec(context.Background(), statement, args...); err != nil {
		tb.Fatal(err)
	}
}

// The suite, plain and sealed, in the default mode and in that which poolers ask for,
// and with a role whose defaults would break the store.
func TestConformance(t *testing.T) {
	sealer, err := record.NewSealer(record.RandomKey())
	if err != nil {
		t.Fatal(err)
	}
	const lease = 6 * time.Second // a third of it is how long one that is lost goes unnoticed
	url, _ := enginetest.Postgres(t)
	admin := connect(t, url)
	exec(t, admin, `CREATE SCHEMA "A schema"`)
	for _, c := range []struct {
		name, table string
		o           postgresstore.Options
		change      func(*pgxpool.Config)
	}{
		{"plain", `tokenactor`, postgresstore.Options{Lease: lease}, func(*pgxpool.Config) {}},
		{"sealed", `"A schema"."select ""TABLE""; --"`, postgresstore.Options{Sealer: sealer, Table: `A schema.select "TABLE"; --`, Lease: lease}, func(c *pgxpool.Config) {
			c.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
			c.ConnConfig.RuntimeParams["default_transaction_isolation"] = "serializable"
			c.ConnConfig.RuntimeParams["default_transaction_read_only"] = "on"
			c.MaxConns = 1
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			another := func(tb testing.TB, _ manager.Store) manager.Store {
				return open(tb, connect(tb, url, c.change), c.o)
			}
			persisttest.Store(t, func(tb testing.TB) manager.Store {
				s := another(tb, nil)
				exec(tb, admin, `TRUNCATE `+c.table)
				return s
			},
				persisttest.Several(another),
				persisttest.Reopen(another),
				persisttest.News(),
				persisttest.Leases(),
				persisttest.LosingLeases(func(tb testing.TB, _ manager.Store, name string) {
					exec(tb, admin, `UPDATE `+c.table+` SET owner = NULL, until = NULL WHERE name = $1`, []byte(name))
				}))
		})
	}
}
