package persist_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.etcd.io/bbolt"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist"
)

// page is the size of bbolt's pages.
var page = os.Getpagesize()

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

	garbage := bytes.Repeat([]byte("no store at all. "), page)
	for what, content := range map[string][]byte{
		"empty":               nil,
		"one byte":            {0},
		"text":                []byte("tokens"),
		"garbage":             garbage,
		"zeros":               make([]byte, 16*page),
		"garbage at the head": append(garbage[:2*page:2*page], whole[2*page:]...),
		"half a page":         whole[:page/2],
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

// A store that was cut off, wherever: before its list of free pages, behind it,
// or within its last page.
func TestScenario17CutFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.db")
	storeOf(t, path, 300)
	var used int
	surgery(t, path, func(tx *bbolt.Tx) error { used = int(tx.Size()); return nil })
	whole, err := os.ReadFile(path) // with the pages that looking added
	if err != nil {
		t.Fatal(err)
	}
	cuts := []int{used - 1}
	for n := page; n < used; n += page {
		cuts = append(cuts, n)
	}
	for _, n := range cuts {
		if err := os.WriteFile(path, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		wantError(t, fmt.Sprintf("%d bytes of %d", n, used), path, persist.ErrDamaged)
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
	const n = 1000
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
			text, lost := fmt.Sprint(err), ""
			for i, s := range got {
				if s.Token.AccessToken.Reveal() == names[i] {
					continue
				}
				lost = names[i]
				if !strings.Contains(text, fmt.Sprintf("%q", lost)) {
					t.Errorf("page %d of %s: Load gave %q as %v and no error of its name", at/page, what, lost, s)
					break
				}
			}
			if lost != "" {
				damaged++
				errs := db.Save(t.Context(), []manager.Write{write(lost, 0, token("over the damage"))})
				if !errors.Is(errs[0], persist.ErrDamaged) {
					t.Errorf("page %d of %s: Save of %q: %v, want ErrDamaged", at/page, what, lost, errs[0])
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
		t.Errorf("%d damaged files opened, %d with lost records: nothing was tested", opened, damaged)
	}
}

// A list of free pages that names a page in use makes bbolt panic in the middle
// of a commit, with its lock held: nobody may wait for that lock.
func TestScenario17DamagedFreelist(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.db")
	content := damagedFreelist(t, path)
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

// damagedFreelist makes a store of one record whose list of free pages names the
// page of that record, and gives its bytes.
func damagedFreelist(t *testing.T, path string) []byte {
	t.Helper()
	const leaf, freelist = 0x02, 0x10
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
	return content
}

// A file that is cut off while it is open: by somebody's editor, or a shell's ">".
func TestScenario17CutWhileOpen(t *testing.T) {
	for _, cut := range []int{1, page, 1 << 30} {
		path := filepath.Join(t.TempDir(), "tokens.db")
		size := int64(max(0, len(storeOf(t, path, 1000))-cut))
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
