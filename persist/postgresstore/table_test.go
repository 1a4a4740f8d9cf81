package postgresstore_test

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"example.com/tokenactor/internal/enginetest"
	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist/postgresstore"
)

// Many processes that start at once make one table.
func TestCreateTableAtOnce(t *testing.T) {
	url, _ := enginetest.Postgres(t)
	const processes = 8
	errs := make([]error, processes)
	var wg sync.WaitGroup
	for i := range processes {
		s, err := postgresstore.New(connect(t, url), postgresstore.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		wg.Go(func() { errs[i] = s.CreateTable(t.Context()) })
	}
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			t.Errorf("CreateTable of process %d: %v", i, err)
		}
	}
}

// Schema is the SQL of the table that a Store uses; its role then needs no right to
// make tables, and CreateTable no more than to look.
func TestSchema(t *testing.T) {
	url, _ := enginetest.Postgres(t)
	admin := connect(t, url)
	sql, err := postgresstore.Schema("public.By Hand")
	if err != nil {
		t.Fatal(err)
	}
	exec(t, admin, sql)
	exec(t, admin, `CREATE ROLE worker LOGIN; GRANT SELECT, INSERT, UPDATE ON "By Hand" TO worker`)
	worker := connect(t, url, func(c *pgxpool.Config) { c.ConnConfig.User = "worker" })
	s := open(t, worker, postgresstore.Options{Table: "public.By Hand"})
	mustSave(t, s, write("a", 0, "first"))
	l, err := s.Locker().Lock(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Unlock(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestBadOptions(t *testing.T) {
	pool := connect(t, "postgres://127.0.0.1:1/x")
	for _, table := range []string{"a.b.c", ".a", "a.", "a\x00", strings.Repeat("x", 64)} {
		if _, err := postgresstore.New(pool, postgresstore.Options{Table: table}); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", table)) {
			t.Errorf("New with table %q: %v, want an error that names it", table, err)
		}
		if sql, err := postgresstore.Schema(table); err == nil {
			t.Errorf("Schema(%q) = %s", table, sql)
		}
	}
	if _, err := postgresstore.New(nil, postgresstore.Options{}); err == nil {
		t.Error("New without a pool gives no error")
	}
	if _, err := postgresstore.New(pool, postgresstore.Options{Lease: 1}); err == nil {
		t.Error("New with a lease of 1 ns gives no error")
	}
}

// askPassword makes a role that has to give one.
func askPassword(tb testing.TB, admin *pgxpool.Pool, role string) {
	tb.Helper()
	exec(tb, admin, `CREATE ROLE `+role+` LOGIN PASSWORD 'right'`)
	var path string
	if err := admin.QueryRow(tb.Context(), `SHOW hba_file`).Scan(&path); err != nil {
		tb.Fatal(err)
	}
	rules, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	rules = append([]byte("host all "+role+" 127.0.0.1/32 scram-sha-256\n"), rules...)
	if err := os.WriteFile(path, rules, 0o600); err != nil {
		tb.Fatal(err)
	}
	exec(tb, admin, `SELECT pg_reload_conf()`)
}

// What an operator has done wrong is said, and what to do.
func TestOperatorsMistakes(t *testing.T) {
	url, _ := enginetest.Postgres(t)
	admin := connect(t, url)
	askPassword(t, admin, "locked")
	exec(t, admin, `CREATE TABLE other (id int); CREATE ROLE stranger LOGIN; CREATE TABLE closed (LIKE other)`)
	closed, err := postgresstore.Schema("secret")
	if err != nil {
		t.Fatal(err)
	}
	exec(t, admin, closed)
	as := func(user string) func(*pgxpool.Config) {
		return func(c *pgxpool.Config) { c.ConnConfig.User, c.ConnConfig.Password = user, "wrong" }
	}
	for _, c := range []struct {
		mistake, table, want string
		change               func(*pgxpool.Config)
	}{
		{"no table", "missing", "CreateTable", as("postgres")},
		{"another's table", "other", "Options.Table", as("postgres")},
		{"no right", "secret", "grant the role SELECT", as("stranger")},
		{"unknown role", "secret", "user in the pool's configuration", as("nobody here")},
		{"wrong password", "secret", "the password in the pool's configuration", as("locked")},
		{"unknown database", "secret", "database in the pool's configuration", func(c *pgxpool.Config) { c.ConnConfig.Database = "none" }},
	} {
		s, err := postgresstore.New(connect(t, url, c.change), postgresstore.Options{Table: c.table})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		_, loadErr := s.Load(t.Context(), []string{"a"})
		_, lockErr := s.Locker().Lock(t.Context(), "a")
		for what, err := range map[string]error{
			"Load": loadErr, "Lock": lockErr,
			"Save":  s.Save(t.Context(), []manager.Write{write("a", 0, "a")})[0],
			"Scan":  s.Scan(t.Context(), func(string, manager.Snapshot) error { return nil }),
			"Watch": s.Watch(t.Context(), func(string, uint64) {}),
		} {
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %s: %v, want one that says %q", c.mistake, what, err, c.want)
			}
		}
	}
}
