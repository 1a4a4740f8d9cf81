package persist

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	berrors "go.etcd.io/bbolt/errors"

	"example.com/tokenactor/manager"
)

// When the commit itself fails, each write that was to be stored has its error,
// one that was not keeps its own, nothing is stored, and the next batch may succeed.
func TestCommitFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.db")
	db, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	large := manager.Snapshot{Revision: 1, Token: manager.Token{Scope: strings.Repeat("x", 1<<20)}}
	writes := []manager.Write{
		{Name: "a", Snapshot: large},
		{Name: "b", Expect: 1, Snapshot: manager.Snapshot{Revision: 2}}, // a conflict
		{Name: "c", Snapshot: large},
	}
	db.bolt.MaxSize = int(info.Size()) // a full disk
	errs := db.Save(t.Context(), writes)
	if !errors.Is(errs[0], berrors.ErrMaxSizeReached) || errs[1] != manager.ErrConflict || !errors.Is(errs[2], berrors.ErrMaxSizeReached) {
		t.Errorf("errors %v, want that of the commit, ErrConflict, that of the commit", errs)
	}
	if !strings.Contains(errs[0].Error(), path) {
		t.Errorf("error %v, want one that names %s", errs[0], path)
	}
	if got, err := db.Load(t.Context(), []string{"a", "c"}); err != nil || got[0].Revision != 0 || got[1].Revision != 0 {
		t.Errorf("Load after the failed commit = %v, %v, want nothing", got, err)
	}

	db.bolt.MaxSize = 0
	errs = db.Save(t.Context(), writes)
	if errs[0] != nil || errs[2] != nil {
		t.Errorf("errors with room on the disk: %v, want nil for the first and the last", errs)
	}
}

// A Save that waited for another one looks at its context once more.
func TestSaveCancelledWhileWaiting(t *testing.T) {
	db, err := Open(filepath.Join(t.TempDir(), "tokens.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ctx := &endsLater{Context: t.Context()}
	errs := db.Save(ctx, []manager.Write{{Name: "a", Snapshot: manager.Snapshot{Revision: 1}}})
	if !errors.Is(errs[0], context.Canceled) {
		t.Errorf("Save: %v, want context.Canceled", errs[0])
	}
}

// endsLater is a context that has ended the second time it is asked.
type endsLater struct {
	context.Context
	asked int
}

func (c *endsLater) Err() error {
	if c.asked++; c.asked > 1 {
		return context.Canceled
	}
	return nil
}

// Batches without a write that may be stored do not commit.
func TestNothingToCommit(t *testing.T) {
	db, err := Open(filepath.Join(t.TempDir(), "tokens.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	before := db.bolt.Stats()
	errs := db.Save(t.Context(), []manager.Write{{Name: "a", Expect: 1, Snapshot: manager.Snapshot{Revision: 2}}})
	if errs[0] != manager.ErrConflict {
		t.Errorf("Save: %v, want ErrConflict", errs[0])
	}
	after := db.bolt.Stats()
	if got := after.TxStats.GetWrite() - before.TxStats.GetWrite(); got != 0 {
		t.Errorf("%d pages written for a conflict, want none", got)
	}
}
