package postgresstore_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"example.com/tokenactor/internal/enginetest"
	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist/postgresstore"
)

// write replaces revision expect of name by a token.
func write(name string, expect uint64, token string) manager.Write {
	return manager.Write{Name: name, Expect: expect, Snapshot: manager.Snapshot{
		Token: manager.Token{AccessToken: manager.NewSecret(token)}, Login: 1, Generation: expect + 1, Revision: expect + 1}}
}

func mustSave(tb testing.TB, s manager.Store, writes ...manager.Write) {
	tb.Helper()
	for i, err := range s.Save(tb.Context(), writes) {
		if err != nil {
			tb.Fatalf("Save of %.20q: %v", writes[i].Name, err)
		}
	}
}

// Batches that write the same names in opposite orders, beside renewals of the leases
// of those names, do not wait for each other in a circle.
func TestNoDeadlock(t *testing.T) {
	url, _ := enginetest.Postgres(t)
	const names, rounds = 40, 30
	var all []string
	for i := range names {
		all = append(all, fmt.Sprint("name ", i))
	}
	backwards := slices.Clone(all)
	slices.Reverse(backwards)
	admin := connect(t, url)
	holder := open(t, connect(t, url), postgresstore.Options{})
	owners := make(map[string]string)
	for _, name := range all {
		if _, err := holder.Locker().Lock(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		owners[name] = leaseOf(t, admin, name)
	}
	var wg sync.WaitGroup
	for p, mine := range [][]string{all, backwards, all, backwards} {
		s := open(t, connect(t, url), postgresstore.Options{})
		wg.Go(func() {
			revisions := make(map[string]uint64)
			for range rounds {
				var batch []manager.Write
				for _, name := range mine {
					batch = append(batch, write(name, revisions[name], fmt.Sprint("of ", p)))
				}
				for i, err := range s.Save(t.Context(), batch) {
					if err != nil && !errors.Is(err, manager.ErrConflict) {
						t.Errorf("process %d, %q: %v", p, batch[i].Name, err)
						return
					}
				}
				if err := s.Extend(t.Context(), mine, owners); err != nil {
					t.Errorf("process %d: %v", p, err)
				}
				found, err := s.Load(t.Context(), mine)
				if err != nil {
					t.Errorf("process %d: %v", p, err)
					return
				}
				for i, name := range mine {
					revisions[name] = found[i].Revision
				}
			}
		})
	}
	wg.Wait()
}

// A lease whose time is up by the server's clock covers no write, though nobody else
// took it and its holder knows of nothing.
func TestLeasePastItsTime(t *testing.T) {
	url, _ := enginetest.Postgres(t)
	admin := connect(t, url)
	s := open(t, connect(t, url), postgresstore.Options{})
	mustSave(t, s, write("a", 0, "first"))
	l, err := s.Locker().Lock(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	exec(t, admin, `UPDATE tokenactor SET until = clock_timestamp() - interval '1 microsecond'`)
	late := write("a", 1, "late")
	late.Lease = l
	stale := write("a", 7, "stale, and late as well")
	stale.Lease = l
	for i, err := range s.Save(t.Context(), []manager.Write{late, stale, write("b", 0, "b"), write("b", 0, "b again")}) {
		if want := []error{manager.ErrLeaseLost, manager.ErrLeaseLost, nil, manager.ErrConflict}[i]; !errors.Is(err, want) {
			t.Errorf("write %d: %v, want %v", i, err, want)
		}
	}
	exec(t, admin, `UPDATE tokenactor SET until = clock_timestamp() + interval '1 hour'`)
	if err := s.Save(t.Context(), []manager.Write{stale})[0]; !errors.Is(err, manager.ErrConflict) {
		t.Errorf("a stale write under a lease that is held: %v, want ErrConflict", err)
	}
	mustSave(t, s, late)
	_ = l.Unlock(t.Context())
}

// Names that are longer than an index entry or a payload, of any bytes, are stored,
// told of and leased like others.
func TestLongNames(t *testing.T) {
	url, _ := enginetest.Postgres(t)
	one, two := open(t, connect(t, url), postgresstore.Options{}), open(t, connect(t, url), postgresstore.Options{})
	var names []string
	for _, length := range []int{2000, 2600, 8000, 32768} {
		name := make([]byte, length)
		_, _ = rand.Read(name)
		names = append(names, string(name), strings.Repeat("n", length))
	}
	newsc := make(chan string, 100)
	watch(t, two, func(name string, revision uint64) { newsc <- fmt.Sprint(revision, name) })
	listening(t, one, newsc)
	for _, name := range names {
		mustSave(t, one, write(name, 0, "first"))
		for got := ""; got != "1"+name; {
			select {
			case got = <-newsc:
			case <-time.After(patience):
				t.Fatalf("no news of a name of %d bytes", len(name))
			}
		}
		l, err := one.Locker().Lock(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		takenc := make(chan error, 1)
		begun := time.Now()
		go func() {
			theirs, err := two.Locker().Lock(t.Context(), name)
			if err == nil {
				err = theirs.Unlock(t.Context())
			}
			takenc <- err
		}()
		time.Sleep(20 * time.Millisecond) // so that it mostly waits
		_ = l.Unlock(t.Context())
		if err := <-takenc; err != nil {
			t.Errorf("Lock of a name of %d bytes: %v", len(name), err)
		}
		t.Logf("lease of a name of %d bytes waited for: %v", len(name), time.Since(begun))
	}
	found, err := two.Load(t.Context(), names)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range found {
		if s.Revision != 1 {
			t.Errorf("a name of %d bytes has revision %d, want 1", len(names[i]), s.Revision)
		}
	}
}

// A commit waits for the disk where the role, or the database, says that it need not;
// where it asks for more than that, it gets it.
func TestSynchronousCommit(t *testing.T) {
	url, _ := enginetest.Postgres(t)
	admin := connect(t, url)
	open(t, admin, postgresstore.Options{})
	exec(t, admin, `CREATE TABLE seen (setting text);
		CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS
			'BEGIN INSERT INTO seen VALUES (current_setting(''synchronous_commit'')); RETURN NULL; END';
		CREATE TRIGGER see AFTER INSERT OR UPDATE ON tokenactor EXECUTE FUNCTION see()`)
	for setting, want := range map[string]string{"off": "on", "on": "on", "local": "local", "remote_apply": "remote_apply"} {
		exec(t, admin, `TRUNCATE seen`)
		s := open(t, connect(t, url, func(c *pgxpool.Config) { c.ConnConfig.RuntimeParams["synchronous_commit"] = setting }), postgresstore.Options{})
		mustSave(t, s, write(setting, 0, "first"))
		var got string
		if err := admin.QueryRow(t.Context(), `SELECT string_agg(DISTINCT setting, ' ') FROM seen`).Scan(&got); err != nil || got != want {
			t.Errorf("a save with synchronous_commit = %s was one with %q (%v), want %q", setting, got, err, want)
		}
	}
}

func TestRevisionTooGreat(t *testing.T) {
	url, _ := enginetest.Postgres(t)
	s := open(t, connect(t, url), postgresstore.Options{})
	errs := s.Save(t.Context(), []manager.Write{write("a", math.MaxInt64, "a"), write("b", math.MaxInt64-1, "b"), write("c", 0, "c")})
	if errs[0] == nil || !strings.Contains(errs[0].Error(), "9223372036854775808") {
		t.Errorf("a revision that no bigint holds: %v, want an error that names it", errs[0])
	}
	if !errors.Is(errs[1], manager.ErrConflict) || errs[2] != nil {
		t.Errorf("the others: %v, %v, want a conflict and nil", errs[1], errs[2])
	}
}
