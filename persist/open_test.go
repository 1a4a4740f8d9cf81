package persist_test

import (
	"bytes"
	"encoding/binary"
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

	"go.etcd.io/bbolt"

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
	before, _ := os.ReadFile(path)
	files, _ := os.ReadDir(filepath.Dir(path))
	db, err := persist.Open(path, persist.Options{})
	if err == nil {
		db.Close()
	}
	if !errors.Is(err, want) || !strings.Contains(fmt.Sprint(err), path) || !strings.HasPrefix(fmt.Sprint(err), "persist: ") {
		t.Errorf("%s: error %v, want %v of %s", what, err, want, path)
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(after, before) {
		t.Errorf("%s: Open changed the file", what)
	}
	if now, _ := os.ReadDir(filepath.Dir(path)); len(now) != len(files) {
		t.Errorf("%s: the folder holds %v, before it was %v", what, now, files)
	}
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

// Whatever is in the file, Open says so in a second and leaves it alone.
func TestScenario17DamagedFile(t *testing.T) {
	folder := t.TempDir()
	whole := storeOf(t, filepath.Join(folder, "whole.db"), 1000)
	foreign := filepath.Join(folder, "foreign.db")
	surgeryNew(t, foreign, "somebody else's")
	newer := filepath.Join(folder, "newer.db")
	surgeryNew(t, newer, "tokenactor/2")
	wantError(t, "foreign", foreign, persist.ErrDamaged)
	wantError(t, "newer", newer, persist.ErrNewer)

	garbage := bytes.Repeat([]byte("no store at all. "), 4000)
	for what, content := range map[string][]byte{
		"empty":               nil,
		"one byte":            {0},
		"text":                []byte("tokens"),
		"garbage":             garbage,
		"zeros":               make([]byte, 64<<10),
		"garbage at the head": append(garbage[:8192:8192], whole[8192:]...),
		"one page":            whole[:4096],
		"two pages":           whole[:8192],
		"half a store":        whole[:len(whole)/2],
	} {
		path := filepath.Join(folder, "tokens.db")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		wantError(t, what, path, persist.ErrDamaged)
		// Open has let go of the file: what an operator puts there opens.
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
		open(t, path).Close()
	}
}

// storeOf makes a store of n records and gives its bytes. Record i has the name
// and the access token name(i).
func storeOf(t *testing.T, path string, n int) []byte {
	t.Helper()
	db := open(t, path)
	writes := make([]manager.Write, n)
	for i := range writes {
		writes[i] = write(name(i), 0, token(name(i)))
	}
	save(t, db, writes...)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func name(i int) string { return fmt.Sprintf("credential %04d", i) }

func surgeryNew(t *testing.T, path, bucket string) {
	t.Helper()
	surgery(t, path, func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket([]byte(bucket))
		return err
	})
}

// A store whose pages are damaged gives every record whole or with an error of
// its name, and never takes the process down.
func TestScenario17DamagedPages(t *testing.T) {
	const n, page = 1000, 4096
	path := filepath.Join(t.TempDir(), "tokens.db")
	whole := storeOf(t, path, n)
	names := make([]string, n)
	for i := range names {
		names[i] = name(i)
	}
	opened, damaged := 0, 0
	for at := 2 * page; at < len(whole); at += page {
		for what, fill := range map[string]byte{"zeros": 0, "ones": 0xff, "text": 'x'} {
			content := bytes.Clone(whole)
			copy(content[at:at+page], bytes.Repeat([]byte{fill}, page))
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			db, err := persist.Open(path, persist.Options{})
			if err != nil {
				if !errors.Is(err, persist.ErrDamaged) || !strings.Contains(err.Error(), path) {
					t.Errorf("page %d of %s: Open: %v, want ErrDamaged of %s", at/page, what, err, path)
				}
				continue
			}
			opened++
			got, err := db.Load(t.Context(), names)
			if err != nil && !errors.Is(err, persist.ErrDamaged) {
				t.Errorf("page %d of %s: Load: %v, want ErrDamaged", at/page, what, err)
			}
			for i, s := range got {
				if s.Token.AccessToken.Reveal() == names[i] {
					continue
				}
				damaged++
				if !strings.Contains(fmt.Sprint(err), fmt.Sprintf("%q", names[i])) {
					t.Errorf("page %d of %s: Load gave %q as %v and no error of its name", at/page, what, names[i], s)
					break
				}
				errs := db.Save(t.Context(), []manager.Write{write(names[i], 0, token("over the damage"))})
				if !errors.Is(errs[0], persist.ErrDamaged) {
					t.Errorf("page %d of %s: Save of %q: %v, want ErrDamaged", at/page, what, names[i], errs[0])
				}
			}
			found := 0
			scanned := db.Scan(t.Context(), func(string, manager.Snapshot) error { found++; return nil })
			if (scanned == nil) != (found == n) || scanned != nil && !errors.Is(scanned, persist.ErrDamaged) {
				t.Errorf("page %d of %s: Scan told of %d names of %d: %v", at/page, what, found, n, scanned)
			}
			if err := db.Close(); err != nil {
				t.Errorf("page %d of %s: Close: %v", at/page, what, err)
			}
		}
	}
	if opened == 0 || damaged == 0 {
		t.Errorf("%d damaged files opened, %d records damaged: nothing was tested", opened, damaged)
	}
}

// A list of free pages that names a page in use makes bbolt panic in the middle
// of a commit, with its lock held: nobody may wait for that lock.
func TestScenario17DamagedFreelist(t *testing.T) {
	const page, leaf, freelist = 4096, 0x02, 0x10
	path := filepath.Join(t.TempDir(), "tokens.db")
	content := storeOf(t, path, 1)
	var used uint64
	for at := 2 * page; at < len(content); at += page {
		if binary.NativeEndian.Uint16(content[at+8:]) == leaf && bytes.Contains(content[at:at+page], []byte(name(0))) {
			used = uint64(at / page)
		}
	}
	for at := 2 * page; at < len(content); at += page {
		if binary.NativeEndian.Uint16(content[at+8:]) == freelist {
			binary.NativeEndian.PutUint16(content[at+10:], 1)
			binary.NativeEndian.PutUint64(content[at+16:], used)
		}
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := persist.Open(path, persist.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := db.Save(t.Context(), []manager.Write{write(name(0), 1, token("next"))})[0]; !errors.Is(err, persist.ErrDamaged) {
				t.Errorf("Save: %v, want ErrDamaged", err)
			}
		})
	}
	wg.Wait()
	if _, err := db.Load(t.Context(), []string{name(0)}); !errors.Is(err, persist.ErrDamaged) {
		t.Errorf("Load after the panic: %v, want ErrDamaged", err)
	}
	for range 2 {
		if err := db.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	if after, err := os.ReadFile(path); !bytes.Equal(after, content) {
		t.Errorf("the failed commit changed the file (%v)", err)
	}
	db, err = persist.Open(path, persist.Options{}) // the lock is free
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
}

// The same while it is open: somebody's editor, or a shell's ">".
func TestScenario17CutWhileOpen(t *testing.T) {
	for _, size := range []int64{0, 100, 4096, 16384} {
		path := filepath.Join(t.TempDir(), "tokens.db")
		storeOf(t, path, 1000)
		db, err := persist.Open(path, persist.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, size); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Load(t.Context(), []string{name(999)}); !errors.Is(err, persist.ErrDamaged) {
			t.Errorf("cut to %d: Load: %v, want ErrDamaged", size, err)
		}
		if err := db.Save(t.Context(), []manager.Write{write("a", 0, token("a"))})[0]; !errors.Is(err, persist.ErrDamaged) {
			t.Errorf("cut to %d: Save: %v, want ErrDamaged", size, err)
		}
		if info, err := os.Stat(path); err != nil || info.Size() != size {
			t.Errorf("cut to %d: the file has %d bytes now (%v)", size, info.Size(), err)
		}
		if err := db.Close(); err != nil {
			t.Errorf("cut to %d: Close: %v", size, err)
		}
	}
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
