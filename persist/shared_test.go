package persist_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/bbolt"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist"
	"example.com/tokenactor/persist/persisttest"
)

func TestConformanceShared(t *testing.T) {
	type file struct {
		*persist.DB
		path string
	}
	persisttest.Store(t,
		func(tb testing.TB) manager.Store {
			path := filepath.Join(tb.TempDir(), "tokens.db")
			tb.Cleanup(func() { checkPages(tb, path) })
			return file{openShared(tb, path), path}
		},
		persisttest.Reopen(func(tb testing.TB, s manager.Store) manager.Store {
			f := s.(file)
			if err := f.Close(); err != nil {
				tb.Fatal(err)
			}
			return openShared(tb, f.path)
		}),
		persisttest.Several(func(tb testing.TB, s manager.Store) manager.Store {
			return openShared(tb, s.(file).path)
		}),
		persisttest.News(), persisttest.Leases())
}

// openShared opens the store at path as one of several, and closes it when the
// test ends.
func openShared(tb testing.TB, path string) *persist.DB {
	tb.Helper()
	db, err := persist.Open(path, persist.Options{Shared: true})
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

// wantLocked checks that Open fails within about a second and says what to do.
func wantLocked(t *testing.T, path string, o persist.Options, advice string) {
	t.Helper()
	begun := time.Now()
	db, err := persist.Open(path, o)
	if err == nil {
		db.Close()
	}
	if text := fmt.Sprint(err); !errors.Is(err, persist.ErrLocked) || !strings.Contains(text, path) || !strings.Contains(text, advice) {
		t.Errorf("Open with Shared %v: %v, want ErrLocked of %s and the advice: %s", o.Shared, err, path, advice)
	}
	if waited := time.Since(begun); waited > 1500*time.Millisecond {
		t.Errorf("Open with Shared %v waited %v, want about 1 s", o.Shared, waited)
	}
}

// A file is shared by all who have it open or by none, whoever comes first.
func TestSharedByAllOrNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "tokens.db")
		alone, err := persist.Open(path, persist.Options{})
		if err != nil {
			t.Fatal(err)
		}
		wantLocked(t, path, persist.Options{Shared: true}, "has it open") // by bbolt's lock: it was never shared before
		alone.Close()

		one, two := openShared(t, path), openShared(t, path)
		wantLocked(t, path, persist.Options{}, "set Options.Shared here too")
		one.Close()
		wantLocked(t, path, persist.Options{}, "set Options.Shared here too")
		two.Close()

		alone, err = persist.Open(path, persist.Options{})
		if err != nil {
			t.Fatal(err)
		}
		wantLocked(t, path, persist.Options{Shared: true}, "set Options.Shared there too")
		save(t, alone, write("a", 0, token("a")))
		alone.Close()
		save(t, openShared(t, path), write("a", 1, token("b")))
	})
}

// Whoever closes in time lets the other in.
func TestSharedWaitsForAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "tokens.db")
		openShared(t, path).Close()
		alone := open(t, path)
		time.AfterFunc(500*time.Millisecond, func() { alone.Close() })
		shared := openShared(t, path)
		time.AfterFunc(500*time.Millisecond, func() { shared.Close() })
		open(t, path)
	})
}

// By whatever name a file is opened, its leases and its news are the same, and
// they stay that when the process goes to another folder.
func TestSharedUnderAnotherName(t *testing.T) {
	folder := t.TempDir()
	path, link := filepath.Join(folder, "tokens.db"), filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	t.Chdir(folder)
	one := openShared(t, "tokens.db")
	two := openShared(t, link)
	t.Chdir(t.TempDir())
	lease, err := one.Locker().Lock(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	wantHeld(t, two, "a")
	save(t, one, manager.Write{Name: "a", Snapshot: write("a", 0, token("a")).Snapshot, Lease: lease})
	save(t, two, manager.Write{Name: "a", Expect: 1, Snapshot: write("a", 1, token("b")).Snapshot, Lease: lease})
	if err := lease.Unlock(t.Context()); err != nil {
		t.Error(err)
	}
}

// A store that is not shared has no leases and no news: for a Manager this
// process is alone.
func TestNotShared(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "tokens.db"))
	if l := db.Locker(); l != nil {
		t.Errorf("Locker: %v, want nil", l)
	}
	ctx, cancel := context.WithCancel(t.Context())
	donec := make(chan error)
	go func() { donec <- db.Watch(ctx, func(string, uint64) { t.Error("news of oneself") }) }()
	save(t, db, write("a", 0, token("a")))
	cancel()
	if err := <-donec; !errors.Is(err, context.Canceled) {
		t.Errorf("Watch: %v, want the error of its context", err)
	}
	surgery(t, closedPath(t, db), func(tx *bbolt.Tx) error {
		if tx.Bucket([]byte("news")) != nil {
			t.Error("there are news for nobody in the file")
		}
		return nil
	})
}

func closedPath(t *testing.T, db *persist.DB) string {
	t.Helper()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := db.Load(t.Context(), nil)
	return strings.Split(fmt.Sprint(err), ": ")[1]
}

// While Scan's function takes its time, others write.
func TestSharedScanHoldsNobodyUp(t *testing.T) {
	const n = 5000
	path := filepath.Join(t.TempDir(), "tokens.db")
	one, two := openShared(t, path), openShared(t, path)
	writes := make([]manager.Write, n)
	for i := range writes {
		writes[i] = write(name(i), 0, token(name(i)))
	}
	save(t, one, writes...)
	var told []string
	if err := one.Scan(t.Context(), func(name string, s manager.Snapshot) error {
		if len(told)%1000 == 0 {
			save(t, two, write(name, s.Revision, token("before")), write(name+" and a new one", 0, token("new")))
			last, err := two.Load(t.Context(), []string{writes[n-1].Name})
			if err != nil {
				return err
			}
			save(t, two, write(writes[n-1].Name, last[0].Revision, token("after")))
		}
		told = append(told, name)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if !slices.IsSorted(told) || len(slices.Compact(slices.Clone(told))) != len(told) {
		t.Errorf("Scan told of %d names, want each once and in order", len(told))
	}
	for i := range n {
		if _, found := slices.BinarySearch(told, name(i)); !found {
			t.Errorf("Scan left out %q, which was there all the while", name(i))
		}
	}
	enough := errors.New("enough")
	if err := one.Scan(t.Context(), func(string, manager.Snapshot) error { return enough }); err != enough {
		t.Errorf("Scan that was ended: %v, want its function's error", err)
	}
}

// Close ends everything, as it does without Shared.
func TestSharedClosed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.db")
	db := openShared(t, path)
	locker := db.Locker()
	watchc, newsc := make(chan error, 1), make(chan string, 1)
	save(t, db, write("written before Watch", 0, token("a")))
	go func() { watchc <- db.Watch(context.Background(), func(name string, _ uint64) { newsc <- name }) }()
	if got := <-newsc; got != "written before Watch" {
		t.Errorf("Watch told of %q first, want what was written since Open", got)
	}
	for range 2 {
		if err := db.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	_, loaded := db.Load(t.Context(), []string{"a"})
	_, locked := locker.Lock(t.Context(), "a")
	for what, err := range map[string]error{
		"Load":  loaded,
		"Lock":  locked,
		"Scan":  db.Scan(t.Context(), func(string, manager.Snapshot) error { return nil }),
		"Save":  db.Save(t.Context(), []manager.Write{write("a", 0, token("a"))})[0],
		"Watch": <-watchc,
	} {
		if !errors.Is(err, fs.ErrClosed) || !strings.Contains(fmt.Sprint(err), path) {
			t.Errorf("%s of a closed store: %v, want fs.ErrClosed of %s", what, err, path)
		}
	}
}

// A file that was cut off or taken away is an error and not an empty store, and
// once it is back all goes on.
func TestScenario17SharedFileGone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.db")
	one, two := openShared(t, path), openShared(t, path)
	newsc := make(chan uint64, 10)
	go one.Watch(t.Context(), func(_ string, revision uint64) { newsc <- revision })
	save(t, two, write("a", 0, token("a")))
	<-newsc

	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		spoil func() error
		want  error
	}{
		"cut off": {func() error { return os.Truncate(path, int64(len(content)/2)) }, persist.ErrDamaged},
		"emptied": {func() error { return os.Truncate(path, 0) }, persist.ErrDamaged},
		"gone":    {func() error { return os.Remove(path) }, fs.ErrNotExist},
	} {
		if err := c.spoil(); err != nil {
			t.Fatal(err)
		}
		_, loaded := one.Load(t.Context(), []string{"a"})
		saved := two.Save(t.Context(), []manager.Write{write("a", 1, token("b"))})[0]
		if !errors.Is(loaded, c.want) || !errors.Is(saved, c.want) || !strings.Contains(fmt.Sprint(loaded), path) {
			t.Errorf("%s: Load: %v, Save: %v, want %v of %s", what, loaded, saved, c.want, path)
		}
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	save(t, two, write("a", 1, token("b")))
}

// After a panic of bbolt's in the middle of a commit this DB is done with the
// file, and the others are not kept waiting by it.
func TestScenario17SharedDamagedFreelist(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.db")
	damagedFreelist(t, path)
	one, two := openShared(t, path), openShared(t, path)
	for range 2 {
		if err := one.Save(t.Context(), []manager.Write{write(name(0), 1, token("next"))})[0]; !errors.Is(err, persist.ErrDamaged) {
			t.Errorf("Save: %v, want ErrDamaged", err)
		}
	}
	if _, err := one.Load(t.Context(), []string{name(0)}); !errors.Is(err, persist.ErrDamaged) {
		t.Errorf("Load after the panic: %v, want ErrDamaged", err)
	}
	got, err := two.Load(t.Context(), []string{name(0)})
	if err != nil || got[0].Revision != 1 {
		t.Errorf("Load of another handle: %v, %v, want what is stored", got, err)
	}
}
