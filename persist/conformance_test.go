package persist_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist"
	"example.com/tokenactor/persist/persisttest"
)

func TestConformanceMemory(t *testing.T) {
	persisttest.Store(t, func(testing.TB) manager.Store { return new(persist.Memory) })
}

func TestConformanceDB(t *testing.T) {
	type file struct {
		*persist.DB
		path string
	}
	persisttest.Store(t,
		func(tb testing.TB) manager.Store {
			path := filepath.Join(tb.TempDir(), "tokens.db")
			tb.Cleanup(func() { checkPages(tb, path) }) // last, when all is closed
			return file{open(tb, path), path}
		},
		persisttest.Reopen(func(tb testing.TB, s manager.Store) manager.Store {
			f := s.(file)
			if err := f.Close(); err != nil {
				tb.Fatal(err)
			}
			return open(tb, f.path)
		}))
}

func TestConformanceFunc(t *testing.T) {
	persisttest.Store(t,
		func(testing.TB) manager.Store { return make(table).store() },
		persisttest.Reopen(func(tb testing.TB, s manager.Store) manager.Store {
			rows := make(table)
			if err := s.(*persist.Func).ScanFunc(tb.Context(), func(name string, record []byte) error {
				rows[name] = record
				return nil
			}); err != nil {
				tb.Fatal(err)
			}
			return rows.store()
		}))
}

// open opens the store at path, and closes it when the test ends.
func open(tb testing.TB, path string) *persist.DB {
	tb.Helper()
	db, err := persist.Open(path, persist.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Errorf("Close: %v", err)
		}
	})
	return db
}

// checkPages checks every page of a closed file.
func checkPages(tb testing.TB, path string) {
	surgery(tb, path, func(tx *bbolt.Tx) error {
		for err := range tx.Check() {
			tb.Errorf("%s: %v", path, err)
		}
		return nil
	})
}

// surgery changes a closed file behind the back of persist.
func surgery(tb testing.TB, path string, f func(tx *bbolt.Tx) error) {
	tb.Helper()
	db, err := bbolt.Open(path, 0, &bbolt.Options{Timeout: time.Second})
	if err != nil {
		tb.Fatal(err)
	}
	defer db.Close()
	if err := db.Update(f); err != nil {
		tb.Fatal(err)
	}
}

// A table is what a user's functions may keep records in. It has no lock: Func
// promises to call one function at a time.
type table map[string][]byte

func (t table) store() *persist.Func {
	return &persist.Func{
		LoadFunc: func(_ context.Context, name string) ([]byte, error) { return t[name], nil },
		SaveFunc: func(_ context.Context, name string, record []byte) error {
			t[name] = record
			return nil
		},
		ScanFunc: func(_ context.Context, f func(name string, record []byte) error) error {
			for name, record := range t {
				if err := f(name, record); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// token is a snapshot that differs by its text.
func token(text string) manager.Snapshot {
	return manager.Snapshot{Token: manager.Token{AccessToken: manager.NewSecret(text)}, Login: 1, Generation: 1}
}

// write replaces revision expect of name by s.
func write(name string, expect uint64, s manager.Snapshot) manager.Write {
	s.Revision = expect + 1
	return manager.Write{Name: name, Expect: expect, Snapshot: s}
}

// save saves writes that must all succeed.
func save(tb testing.TB, s manager.Store, writes ...manager.Write) {
	tb.Helper()
	for i, err := range s.Save(tb.Context(), writes) {
		if err != nil {
			tb.Fatalf("Save of %q at revision %d: %v", writes[i].Name, writes[i].Expect, err)
		}
	}
}
