package persist_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist"
	"example.com/tokenactor/persist/record"
)

// scanned gives the names that Scan tells of. Each must come with its own token.
func scanned(t *testing.T, db *persist.DB) (names []string, err error) {
	t.Helper()
	err = db.Scan(t.Context(), func(name string, s manager.Snapshot) error {
		if got := s.Token.AccessToken.Reveal(); got != name {
			t.Errorf("the token of %q is %q", name, got)
		}
		names = append(names, name)
		return nil
	})
	return names, err
}

// Records are taken apart some hundreds at a time, beside Scan's own goroutine: each
// comes once all the same, with its own token, in the order of the names; in a file
// that is open alone and in a shared one.
func TestScanOfMany(t *testing.T) {
	for _, n := range []int{0, 1, 255, 256, 257, 1023, 1024, 1025, 5000} {
		for _, shared := range []bool{false, true} {
			t.Run(fmt.Sprintf("records=%d/shared=%t", n, shared), func(t *testing.T) {
				db := openWith(t, filepath.Join(t.TempDir(), "tokens.db"), persist.Options{Shared: shared})
				all := writes("tenant", n)
				if n > 0 {
					save(t, db, all...)
				}
				want := make([]string, n)
				for i, w := range all {
					want[i] = w.Name
				}
				slices.Sort(want)
				if got, err := scanned(t, db); err != nil || !slices.Equal(got, want) {
					t.Errorf("Scan tells of %d names, error %v, want the %d in order", len(got), err, n)
				}
			})
		}
	}
}

// A Scan that its function ends, or its context, tells of nothing more, wherever that
// is; and a Save that makes the file grow, and so waits for all who read it, goes on.
func TestScanEndsWhereItIsTold(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "tokens.db"))
	save(t, db, writes("tenant", 2000)...)
	for _, last := range []int{1, 256, 257, 700, 1999} {
		enough, told := errors.New("enough"), 0
		err := db.Scan(t.Context(), func(string, manager.Snapshot) error {
			if told++; told == last {
				return enough
			}
			return nil
		})
		if told != last || !errors.Is(err, enough) {
			t.Errorf("a function that has enough after %d was told of %d, and Scan says %v", last, told, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		told = 0
		err = db.Scan(ctx, func(string, manager.Snapshot) error {
			if told++; told == last {
				cancel()
			}
			return nil
		})
		if told != last || !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled after %d, Scan told of %d and says %v", last, told, err)
		}
		save(t, db, writes(fmt.Sprint("after ", last), 1000)...)
	}
}

// A damaged record is named, and all others come, before and behind it.
func TestScanPassesDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.db")
	db, err := persist.Open(path, persist.Options{})
	if err != nil {
		t.Fatal(err)
	}
	save(t, db, writes("tenant", 1000)...)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	flip(t, path, "tenant 300")
	got, err := scanned(t, open(t, path))
	var named *manager.NameError
	if !errors.As(err, &named) || named.Name != "tenant 300" || !errors.Is(err, record.ErrDamaged) {
		t.Errorf("Scan says %v, want the damaged record named", err)
	}
	if len(got) != 999 || slices.Contains(got, "tenant 300") {
		t.Errorf("Scan tells of %d records, want the 999 that are whole", len(got))
	}
}
