package sql_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	tokens "example.com/tokenactor/examples/sql"
	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist/persisttest"
	"example.com/tokenactor/persist/record"
)

func open(tb testing.TB, path string) *sql.DB {
	tb.Helper()
	db, err := sql.Open("sqlite", path+"?_pragma=synchronous(FULL)")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { db.Close() })
	if _, err := db.Exec(tokens.Schema); err != nil {
		tb.Fatal(err)
	}
	return db
}

// A store of one's own is tested like ours.
func TestConformance(t *testing.T) {
	sealer, err := record.NewSealer(record.RandomKey())
	if err != nil {
		t.Fatal(err)
	}
	for name, sealer := range map[string]*record.Sealer{"as they are": nil, "sealed": sealer} {
		t.Run(name, func(t *testing.T) {
			paths := make(map[manager.Store]string)
			persisttest.Store(t,
				func(tb testing.TB) manager.Store {
					path := filepath.Join(tb.TempDir(), "program.sqlite")
					s := tokens.Store(open(tb, path), sealer)
					paths[s] = path
					return s
				},
				persisttest.Reopen(func(tb testing.TB, s manager.Store) manager.Store {
					return tokens.Store(open(tb, paths[s]), sealer)
				}))
		})
	}
}

// A token that one run of the program got is in the table for the next.
func ExampleStore() {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()
	db.SetMaxOpenConns(1) // each connection would have a memory of its own
	if _, err := db.Exec(tokens.Schema); err != nil {
		fmt.Println(err)
		return
	}
	key := record.RandomKey() // or record.KeyFromFile
	login := manager.RefresherFunc(func(_ context.Context, name string, _ manager.Token) (manager.Token, error) {
		fmt.Println("logging in to", name)
		return manager.Token{AccessToken: manager.NewSecret("a1"), ExpiresIn: time.Hour}, nil
	})
	for range 2 {
		sealer, err := record.NewSealer(key)
		if err != nil {
			fmt.Println(err)
			return
		}
		m, err := manager.New(manager.Config{Store: tokens.Store(db, sealer)})
		if err != nil {
			fmt.Println(err)
			return
		}
		token, err := m.Manage("billing", login).Token(context.Background())
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(token.AccessToken.Reveal())
		if err := m.Close(); err != nil {
			fmt.Println(err)
			return
		}
	}
	// Output:
	// logging in to billing
	// a1
	// a1
}
