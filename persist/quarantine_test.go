package persist_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"go.etcd.io/bbolt"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist"
	"example.com/tokenactor/persist/record"
)

// A damaged file is moved aside, as it is, and the store begins empty.
func TestScenario17Quarantine(t *testing.T) {
	for name, o := range map[string]persist.Options{"alone": {}, "shared": {Shared: true}, "sealed": sealed(1)} {
		t.Run(name, func(t *testing.T) { testQuarantine(t, o) })
	}
}

func testQuarantine(t *testing.T, o persist.Options) {
	folder := t.TempDir()
	path := filepath.Join(folder, "tokens.db")
	whole := storeOf(t, path, 300)
	for what, content := range map[string][]byte{
		"empty":       nil,
		"text":        []byte("tokens"),
		"zeros":       make([]byte, 16*page),
		"cut off":     whole[:5*page],
		"half a page": whole[:page/2],
	} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		o.Quarantine, o.Logger = true, slog.New(slog.NewTextHandler(&log, nil))
		db, err := persist.Open(path, o)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		aside := db.Quarantined()
		if kept, err := os.ReadFile(aside); err != nil || !bytes.Equal(kept, content) || !strings.HasPrefix(aside, path+".damaged-") {
			t.Errorf("%s: %q holds %d bytes (%v), want the %d that were damaged", what, aside, len(kept), err, len(content))
		}
		if got := log.String(); !strings.Contains(got, "level=ERROR") || !strings.Contains(got, aside) {
			t.Errorf("%s: log %q, want an error with %s", what, got, aside)
		}
		if got, err := db.Load(t.Context(), []string{name(1)}); err != nil || got[0].Revision != 0 {
			t.Errorf("%s: Load = %v, %v, want nothing", what, got, err)
		}
		save(t, db, write(name(1), 0, token("next")))
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		db = openWith(t, path, o)
		if got, err := db.Load(t.Context(), []string{name(1)}); err != nil || got[0].Revision != 1 || db.Quarantined() != "" {
			t.Errorf("%s: opened again: %v, %v, %q, want what was saved", what, got, err, db.Quarantined())
		}
		db.Close()
	}
	if files, err := filepath.Glob(path + ".damaged-*"); len(files) != 5 || err != nil {
		t.Errorf("moved aside: %q, %v, want 5 files", files, err)
	}
}

// What is not damaged, or not ours, is never moved.
func TestScenario17NoQuarantine(t *testing.T) {
	folder := t.TempDir()
	quarantine := persist.Options{Quarantine: true}
	foreign := filepath.Join(folder, "foreign.db")
	surgeryNew(t, foreign, "somebody else's")
	newer := filepath.Join(folder, "newer.db")
	surgeryNew(t, newer, "tokenactor/2")
	wantErrorWith(t, "foreign", foreign, quarantine, persist.ErrDamaged)
	wantErrorWith(t, "newer", newer, quarantine, persist.ErrNewer)
	wantErrorWith(t, "folder", folder, quarantine, nil)
	wantErrorWith(t, "missing folder", filepath.Join(folder, "no", "tokens.db"), quarantine, fs.ErrNotExist)

	path := filepath.Join(folder, "tokens.db")
	synctest.Test(t, func(t *testing.T) {
		db := open(t, path)
		wantErrorWith(t, "open elsewhere", path, quarantine, persist.ErrLocked)
		// Emptied by somebody, and open there still.
		if err := os.Truncate(path, 0); err != nil {
			t.Fatal(err)
		}
		wantErrorWith(t, "damaged and open elsewhere", path, quarantine, persist.ErrLocked)
		db.Close()
	})
}

// A link to the file stays, and leads to the new one.
func TestQuarantineLink(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.db")
	link := filepath.Join(t.TempDir(), "link.db")
	if err := errors.Join(os.WriteFile(path, []byte("damaged"), 0o600), os.Symlink(path, link)); err != nil {
		t.Fatal(err)
	}
	db := openWith(t, link, persist.Options{Quarantine: true, Logger: slog.New(slog.DiscardHandler)})
	save(t, db, write("a", 0, token("a")))
	db.Close()
	if !strings.HasPrefix(db.Quarantined(), path) {
		t.Errorf("moved to %q, want it beside %s", db.Quarantined(), path)
	}
	if got, err := open(t, link).Load(t.Context(), []string{"a"}); err != nil || got[0].Revision != 1 {
		t.Errorf("Load = %v, %v, want what was saved", got, err)
	}
}

// Of several that meet the damage at once, one moves it, and nobody moves the new
// file.
func TestQuarantineOnce(t *testing.T) {
	for round := range 6 {
		path := filepath.Join(t.TempDir(), "tokens.db")
		if err := os.WriteFile(path, []byte("damaged"), 0o600); err != nil {
			t.Fatal(err)
		}
		const n = 4
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				db, err := persist.Open(path, persist.Options{Quarantine: true, Shared: round%2 == 1, Logger: slog.New(slog.DiscardHandler)})
				if err != nil {
					t.Errorf("Open %d: %v", i, err)
					return
				}
				defer db.Close()
				if err := db.Save(t.Context(), []manager.Write{write(name(i), 0, token(name(i)))})[0]; err != nil {
					t.Errorf("Save %d: %v", i, err)
				}
			})
		}
		wg.Wait()
		files, err := filepath.Glob(path + ".damaged-*")
		if len(files) != 1 || err != nil {
			t.Fatalf("moved aside: %q, %v, want one file", files, err)
		}
		if kept, err := os.ReadFile(files[0]); string(kept) != "damaged" {
			t.Errorf("moved aside: %q, %v, want what was damaged", kept, err)
		}
		db := open(t, path)
		for i := range n {
			if got, err := db.Load(t.Context(), []string{name(i)}); err != nil || got[0].Revision != 1 {
				t.Errorf("Load(%q) = %v, %v, want what was saved", name(i), got, err)
			}
		}
	}
}

// flip damages the record of name in the closed file at path, and gives its bytes.
func flip(t *testing.T, path, name string) (damaged []byte) {
	t.Helper()
	surgery(t, path, func(tx *bbolt.Tx) error {
		tokens := tx.Bucket([]byte("tokenactor/1"))
		damaged = bytes.Clone(tokens.Get([]byte(name)))
		damaged[len(damaged)/2] ^= 1
		return tokens.Put([]byte(name), damaged)
	})
	return damaged
}

// A damaged record counts as none, and its bytes are kept. What is not damaged,
// but cannot be read, stays where it is.
func TestScenario17QuarantinedRecord(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.db")
	db := openWith(t, path, sealed(1))
	save(t, db, write("a", 0, token("a")), write("a", 1, token("a")), write("b", 0, token("b")), write("c", 0, token("c")))
	db.Close()
	damaged := flip(t, path, "a")
	surgery(t, path, func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("tokenactor/1")).Put([]byte("c"), mustSealer(t, 2).Append(nil, "c", write("c", 0, token("c")).Snapshot))
	})

	var log bytes.Buffer
	o := sealed(1)
	o.Quarantine, o.Logger = true, slog.New(slog.NewTextHandler(&log, nil))
	db = openWith(t, path, o)
	for range 2 {
		got, err := db.Load(t.Context(), []string{"a", "b", "c"})
		wantNames(t, "Load", err, map[string]error{"c": record.ErrKey})
		if got[0].Revision != 0 || got[1].Revision != 1 {
			t.Errorf("Load = %v, want nothing and b", got)
		}
		var names []string
		err = db.Scan(t.Context(), func(name string, _ manager.Snapshot) error { names = append(names, name); return nil })
		wantNames(t, "Scan", err, map[string]error{"c": record.ErrKey})
		if fmt.Sprint(names) != "[b]" {
			t.Errorf("Scan told of %q, want b", names)
		}
	}
	if got := log.String(); strings.Count(got, "level=ERROR") != 1 || !strings.Contains(got, "name=a") || !strings.Contains(got, path) {
		t.Errorf("log %q, want one error with the name and %s", got, path)
	}

	errs := db.Save(t.Context(), []manager.Write{write("a", 2, token("of the old")), write("a", 0, token("new")), write("a", 1, token("newer")), write("c", 0, token("over"))})
	if errs[0] != manager.ErrConflict || errs[1] != nil || errs[2] != nil || !errors.Is(errs[3], record.ErrKey) {
		t.Errorf("Save: %v, want a conflict, twice nil, ErrKey", errs)
	}
	if got, err := db.Load(t.Context(), []string{"a"}); err != nil || got[0].Token.AccessToken.Reveal() != "newer" {
		t.Errorf("Load = %v, %v, want the new one", got, err)
	}
	db.Close()
	surgery(t, path, func(tx *bbolt.Tx) error {
		kept := 0
		aside := tx.Bucket([]byte("tokenactor/1/damaged"))
		if aside == nil {
			t.Fatal("nothing was kept")
		}
		return aside.ForEach(func(key, value []byte) error {
			if kept++; kept > 1 || !bytes.HasPrefix(key, []byte("a\x00")) || !bytes.Equal(value, damaged) {
				t.Errorf("kept %q: % x, want that of a alone: % x", key, value, damaged)
			}
			return nil
		})
	})
	if db := openWith(t, path, sealed(1)); db.Quarantined() != "" {
		t.Error("a record is no file")
	}
}

// The longest name leaves no room for the time: it is cut, and the record kept.
func TestQuarantineLongName(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.db")
	long := strings.Repeat("n", persist.MaxName)
	db := open(t, path)
	save(t, db, write(long, 0, token("a")))
	db.Close()
	flip(t, path, long)
	db = openWith(t, path, persist.Options{Quarantine: true, Logger: slog.New(slog.DiscardHandler)})
	save(t, db, write(long, 0, token("b")))
}

// A Manager over a damaged record: its callers hear of it, by name, and nobody
// else does. With Quarantine a new login mends it.
func TestScenario17DamagedRecordInManager(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.db")
	db := open(t, path)
	save(t, db, write("billing", 0, token("b1")), write("reports", 0, token("r1")))
	db.Close()
	damaged := flip(t, path, "billing")

	run := func(o persist.Options, f func(m *manager.Manager)) {
		t.Helper()
		o.Logger = slog.New(slog.DiscardHandler)
		db, err := persist.Open(path, o)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		m, err := manager.New(manager.Config{Store: db, Logger: o.Logger})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		f(m)
		token, err := m.Manage("reports", neverAsked(t)).Token(t.Context())
		if err != nil || token.AccessToken.Reveal() != "r1" {
			t.Errorf("the other credential: %v, %v, want r1", token, err)
		}
	}
	run(persist.Options{}, func(m *manager.Manager) {
		c := m.Manage("billing", neverAsked(t))
		_, err := c.Token(t.Context())
		wantDenied(t, "Token", err, "billing", record.ErrDamaged)
		wantDenied(t, "Install", c.Install(t.Context(), token("b2").Token), "billing", record.ErrDamaged)
	})
	surgery(t, path, func(tx *bbolt.Tx) error {
		if got := tx.Bucket([]byte("tokenactor/1")).Get([]byte("billing")); !bytes.Equal(got, damaged) {
			t.Errorf("the damaged record was changed: % x, want % x", got, damaged)
		}
		return nil
	})

	run(persist.Options{Quarantine: true}, func(m *manager.Manager) {
		c := m.Manage("billing", manager.RefresherFunc(func(context.Context, string, manager.Token) (manager.Token, error) {
			return manager.Token{}, manager.LoginRequired(errors.New("run the login"))
		}))
		if _, err := c.Token(t.Context()); !errors.Is(err, manager.ErrLoginRequired) {
			t.Errorf("Token: %v, want ErrLoginRequired", err)
		}
		if err := c.Install(t.Context(), token("b2").Token); err != nil {
			t.Errorf("Install: %v", err)
		}
	})
	run(persist.Options{}, func(m *manager.Manager) {
		token, err := m.Manage("billing", neverAsked(t)).Token(t.Context())
		if err != nil || token.AccessToken.Reveal() != "b2" {
			t.Errorf("after the login: %v, %v, want b2", token, err)
		}
	})
}

// neverAsked is a Refresher that nobody may ask: a token would be spent.
func neverAsked(t *testing.T) manager.Refresher {
	return manager.RefresherFunc(func(_ context.Context, name string, _ manager.Token) (manager.Token, error) {
		t.Errorf("the Refresher was asked for %q", name)
		return manager.Token{}, errors.New("not here")
	})
}

// wantDenied checks that err is of the cause, and names the credential.
func wantDenied(t *testing.T, what string, err error, name string, cause error) {
	t.Helper()
	if !errors.Is(err, cause) || !strings.Contains(fmt.Sprint(err), fmt.Sprintf("%q", name)) {
		t.Errorf("%s: %v, want %v that names %q", what, err, cause, name)
	}
}
