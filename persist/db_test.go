package persist_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist"
	"example.com/tokenactor/persist/record"
)

// A record that cannot be read is an error of its name, in every call, and the
// other records are not concerned.
func TestScenario17DamagedRecord(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.db")
	storeOf(t, path, 6)
	newer := []byte("\xff\x00a body that nobody can read yet") // version 255, whole
	newer = binary.LittleEndian.AppendUint32(newer, crc32.Checksum(newer, crc32.MakeTable(crc32.Castagnoli)))
	surgery(t, path, func(tx *bbolt.Tx) error {
		tokens := tx.Bucket([]byte("tokenactor/1"))
		flipped := bytes.Clone(tokens.Get([]byte(name(1))))
		flipped[len(flipped)/2] ^= 1
		return errors.Join(tokens.Put([]byte(name(1)), flipped), tokens.Put([]byte(name(3)), newer), tokens.Put([]byte(name(4)), nil))
	})
	db := open(t, path)
	broken := map[string]error{name(1): record.ErrDamaged, name(3): record.ErrNewer, name(4): record.ErrDamaged}

	names := []string{name(0), name(1), name(2), name(3), name(4), name(5)}
	got, err := db.Load(t.Context(), names)
	wantNames(t, "Load", err, broken)
	for i, s := range got {
		if want := names[i]; broken[want] == nil && s.Token.AccessToken.Reveal() != want {
			t.Errorf("Load gave %q as %v", want, s)
		}
	}

	var scanned []string
	err = db.Scan(t.Context(), func(name string, _ manager.Snapshot) error { scanned = append(scanned, name); return nil })
	wantNames(t, "Scan", err, broken)
	if want := []string{name(0), name(2), name(5)}; !slices.Equal(scanned, want) {
		t.Errorf("Scan told of %q, want %q", scanned, want)
	}
	enough := errors.New("enough")
	err = db.Scan(t.Context(), func(name string, _ manager.Snapshot) error {
		if name == names[2] {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || !errors.Is(err, record.ErrDamaged) {
		t.Errorf("Scan that was ended: %v, want its function's error and that of %q", err, names[1])
	}

	for _, expect := range []uint64{0, 1} {
		errs := db.Save(t.Context(), []manager.Write{
			write(names[1], expect, token("over")), write(names[2], expect+1, token("next")), write(names[3], expect, token("over")),
		})
		wantNames(t, "Save", errs[0], map[string]error{names[1]: record.ErrDamaged})
		wantNames(t, "Save", errs[2], map[string]error{names[3]: record.ErrNewer})
		if errs[1] != nil {
			t.Errorf("Save of %q: %v", names[2], errs[1])
		}
	}
}

// wantNames checks that err is made of one NameError for each of want.
func wantNames(t *testing.T, what string, err error, want map[string]error) {
	t.Helper()
	list := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		list = joined.Unwrap()
	}
	for _, err := range list {
		named, ok := errors.AsType[*manager.NameError](err)
		if !ok || want[named.Name] == nil || !errors.Is(err, want[named.Name]) {
			t.Errorf("%s: error %v, want %v", what, err, want)
		}
	}
	if len(list) != len(want) {
		t.Errorf("%s: %d errors, want %d: %v", what, len(list), len(want), err)
	}
}

// Names that bbolt cannot hold are refused by every store, one by one.
func TestNames(t *testing.T) {
	long := strings.Repeat("x", persist.MaxName)
	for kind, s := range map[string]manager.Store{
		"DB":     open(t, filepath.Join(t.TempDir(), "tokens.db")),
		"Memory": new(persist.Memory),
		"Func":   make(table).store(),
	} {
		errs := s.Save(t.Context(), []manager.Write{
			write("", 0, token("empty")), write(long, 0, token("long")), write(long+"x", 0, token("too long")), write("a", 0, token("a")),
		})
		if errs[0] == nil || errs[1] != nil || errs[2] == nil || errs[3] != nil {
			t.Errorf("%s: Save: errors of an empty name, a long one, one too long, and a: %.80v", kind, errs)
		}
		got, err := s.Load(t.Context(), []string{"", long, long + "x", "a"})
		if err == nil || len(got) != 4 || got[1].Revision != 1 || got[3].Revision != 1 {
			t.Errorf("%s: Load of the same: %v, %.80v, want the second and the last", kind, got, err)
		}
	}
}

// A revision that does not follow would break compare-and-swap for good.
func TestRevisionFollows(t *testing.T) {
	w := write("a", 0, token("a"))
	w.Snapshot.Revision = 7
	for kind, s := range map[string]manager.Store{
		"DB":     open(t, filepath.Join(t.TempDir(), "tokens.db")),
		"Memory": new(persist.Memory),
		"Func":   make(table).store(),
	} {
		if err := s.Save(t.Context(), []manager.Write{w})[0]; err == nil || errors.Is(err, manager.ErrConflict) {
			t.Errorf("%s: Save of revision 7 over none: %v, want an error that is no conflict", kind, err)
		}
		if got, err := s.Load(t.Context(), []string{"a"}); err != nil || got[0].Revision != 0 {
			t.Errorf("%s: Load = %v, %v, want none", kind, got, err)
		}
	}
}

// Writes of one name in one batch follow each other, wherever they stand.
func TestOneNameInOrder(t *testing.T) {
	for kind, s := range map[string]manager.Store{
		"DB":     open(t, filepath.Join(t.TempDir(), "tokens.db")),
		"Memory": new(persist.Memory),
		"Func":   make(table).store(),
	} {
		save(t, s, write("b", 0, token("1")), write("c", 0, token("c")), write("b", 1, token("2")), write("a", 0, token("a")), write("b", 2, token("3")))
		got, err := s.Load(t.Context(), []string{"b"})
		if err != nil || got[0].Revision != 3 || got[0].Token.AccessToken.Reveal() != "3" {
			t.Errorf("%s: Load = %v, %v, want the last of three", kind, got, err)
		}
	}
}

func TestScanInOrder(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "tokens.db"))
	save(t, db, write("c", 0, token("c")), write("a", 0, token("a")), write("b", 0, token("b")))
	var got []string
	if err := db.Scan(t.Context(), func(name string, _ manager.Snapshot) error { got = append(got, name); return nil }); err != nil {
		t.Fatal(err)
	}
	if want := []string{"a", "b", "c"}; !slices.Equal(got, want) {
		t.Errorf("Scan told of %q, want %q", got, want)
	}
}

// A panic of Scan's function is its caller's, and the store lives on.
func TestScanPanic(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "tokens.db"))
	save(t, db, write("a", 0, token("a")))
	func() {
		defer func() {
			if got := recover(); got != "ours" {
				t.Errorf("recovered %v, want the panic of the function", got)
			}
		}()
		_ = db.Scan(t.Context(), func(string, manager.Snapshot) error { panic("ours") })
	}()
	save(t, db, write("a", 1, token("next")))
}

func TestClosed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.db")
	db := open(t, path)
	for range 2 {
		if err := db.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	_, loaded := db.Load(t.Context(), []string{"a"})
	for what, err := range map[string]error{
		"Load": loaded,
		"Scan": db.Scan(t.Context(), func(string, manager.Snapshot) error { return nil }),
		"Save": db.Save(t.Context(), []manager.Write{write("a", 0, token("a"))})[0],
	} {
		if !errors.Is(err, fs.ErrClosed) || !strings.Contains(fmt.Sprint(err), path) {
			t.Errorf("%s of a closed store: %v, want fs.ErrClosed of %s", what, err, path)
		}
	}
}
