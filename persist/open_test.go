package persist_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist"
)

func TestOpenMakesPrivateFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.db")
	var log bytes.Buffer
	db, err := persist.Open(path, persist.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode(); got != 0o600 {
		t.Errorf("mode %v, want 0600", got)
	}
	if log.Len() > 0 {
		t.Errorf("log of a private file: %s", &log)
	}
	files, err := os.ReadDir(filepath.Dir(path))
	if len(files) != 1 || err != nil {
		t.Errorf("files in the folder: %v, %v, want the store alone", files, err)
	}
}

func TestOpenWarnsOfOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.db")
	open(t, path).Close()
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	db, err := persist.Open(path, persist.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if got := log.String(); !strings.Contains(got, "level=WARN") || !strings.Contains(got, path) || !strings.Contains(got, "0640") {
		t.Errorf("log of a file that the group may read: %q, want a warning with %s and its mode", got, path)
	}
}

// wantError checks that Open of path fails in the way of want, names the file,
// changes nothing, and leaves nothing behind in the folder.
func wantError(t *testing.T, what, path string, want error) {
	t.Helper()
	_ = wantErrorWith(t, what, path, persist.Options{}, want)
}

// wantErrorWith is wantError with options, and gives the error. Nil: any error.
func wantErrorWith(t *testing.T, what, path string, o persist.Options, want error) error {
	t.Helper()
	before, _ := os.ReadFile(path)
	files, _ := os.ReadDir(filepath.Dir(path))
	db, err := persist.Open(path, o)
	if err == nil {
		db.Close()
	}
	if err == nil || want != nil && !errors.Is(err, want) || !strings.Contains(fmt.Sprint(err), path) || !strings.HasPrefix(fmt.Sprint(err), "persist: ") {
		t.Errorf("%s: error %v, want %v of %s", what, err, want, path)
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(after, before) {
		t.Errorf("%s: Open changed the file", what)
	}
	if now, _ := os.ReadDir(filepath.Dir(path)); len(now) != len(files) {
		t.Errorf("%s: the folder holds %v, before it was %v", what, now, files)
	}
	return err
}

func TestOpenMissingFolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data", "tokens.db")
	wantError(t, "missing folder", path, fs.ErrNotExist)
	if _, err := persist.Open(path, persist.Options{}); !strings.Contains(fmt.Sprint(err), "mkdir") {
		t.Errorf("error %v, want one that says what to do", err)
	}
}

func TestOpenNoFile(t *testing.T) {
	folder := t.TempDir()
	wantError(t, "folder", folder, syscall.EISDIR)
	link := filepath.Join(folder, "link")
	if err := os.Symlink(filepath.Join(folder, "nowhere"), link); err != nil {
		t.Fatal(err)
	}
	wantError(t, "link to nowhere", link, fs.ErrNotExist)
}

// Virtual time: bbolt sleeps between its tries for the lock.
func TestScenario17Locked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "tokens.db")
		db := open(t, path)
		begin := time.Now()
		wantError(t, "open elsewhere", path, persist.ErrLocked)
		if waited := time.Since(begin); waited > time.Second {
			t.Errorf("Open waited %v, want 1 s at most", waited)
		}

		// Whoever closes in time lets the other in.
		time.AfterFunc(500*time.Millisecond, func() { db.Close() })
		open(t, path)
	})
}

// Of several that make a store at once, none meets half a store or undoes
// another's.
func TestOpenMakesOneStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.db")
	const n = 4
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			db, err := persist.Open(path, persist.Options{})
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
	db := open(t, path)
	for i := range n {
		got, err := db.Load(t.Context(), []string{name(i)})
		if err != nil || got[0].Revision != 1 {
			t.Errorf("Load(%q) = %v, %v, want what was saved", name(i), got, err)
		}
	}
}
