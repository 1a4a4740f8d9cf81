package persist_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist"
)

// wantHeld checks that the lease for name is held by this process, in the words
// of an error.
func wantHeld(t *testing.T, db *persist.DB, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := db.Locker().Lock(ctx, name)
	want := fmt.Sprintf("process %d on ", os.Getpid())
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(fmt.Sprint(err), want) || !strings.Contains(fmt.Sprint(err), fmt.Sprintf("%q", name)) {
		t.Errorf("Lock: %v, want the end of its context, and the lease of %q with %q", err, name, want)
	}
}

// The lease of another store protects nothing in this one.
func TestLeaseOfAnotherStore(t *testing.T) {
	here, there := openShared(t, filepath.Join(t.TempDir(), "tokens.db")), openShared(t, filepath.Join(t.TempDir(), "tokens.db"))
	lease, err := there.Locker().Lock(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	defer lease.Unlock(t.Context())
	w := write("a", 0, token("a"))
	w.Lease = lease
	if err := here.Save(t.Context(), []manager.Write{w})[0]; !errors.Is(err, manager.ErrLeaseLost) {
		t.Errorf("Save: %v, want ErrLeaseLost", err)
	}
	save(t, there, w)
}

// What is beside the file is private, tells no name, and stays.
func TestLeaseFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.db")
	db := openShared(t, path)
	const name = "somebody@example.com/../../x"
	lease, err := db.Locker().Lock(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := lease.Unlock(t.Context()); err != nil {
			t.Errorf("Unlock: %v", err)
		}
	}
	info, err := os.Stat(path + ".locks")
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder of the locks: %v, %v, want mode 0700", info, err)
	}
	files, err := os.ReadDir(path + ".locks")
	if len(files) != 4 || err != nil {
		t.Fatalf("files: %v, %v, want one of the lease and three of the store", files, err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil || info.Mode().Perm() != 0o600 || strings.Contains(f.Name(), "example") {
			t.Errorf("%s: %v, %v, want mode 0600 and no name of a credential", f.Name(), info, err)
		}
		if strings.HasPrefix(f.Name(), "lease-") && info.Size() > 0 {
			t.Errorf("%s has %d bytes when the lease is free: that is a block of the disk for each credential", f.Name(), info.Size())
		}
	}
}
