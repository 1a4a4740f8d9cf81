package persist_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.com/tokenactor/persist"
)

// On a full disk the locks cannot be signed. They are locks all the same, and
// nobody keeps one that he did not get.
func TestScenario11LocksOnAFullDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.db")
	openShared(t, path).Close()
	sum := sha256.Sum256([]byte("a"))
	for _, name := range []string{"turn", "file", "lease-" + hex.EncodeToString(sum[:16])} {
		lock := filepath.Join(path+".locks", name)
		os.Remove(lock)
		if err := os.Symlink("/dev/full", lock); err != nil {
			t.Fatal(err)
		}
		one, two := openShared(t, path), openShared(t, path)
		save(t, one, write(name, 0, token("a")))
		save(t, two, write(name, 1, token("b")))
		lease, err := one.Locker().Lock(t.Context(), "a")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		_ = lease.Unlock(t.Context()) // the device cannot be made shorter
		os.Remove(lock)
	}
}

// One that opens the file alone while another begins to share it is not let in
// between two sessions.
func TestAloneWhileSharingBegins(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.db")
	open(t, path).Close()
	busy, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	if err := syscall.Flock(int(busy.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	errc := make(chan error)
	go func() {
		db, err := persist.Open(path, persist.Options{})
		if err == nil {
			err = db.Close()
		}
		errc <- err
	}()
	eventually(t, "Open waits for the file", func() bool { return opened(t, path) > 1 })

	if err := os.Mkdir(path+".locks", 0o700); err != nil {
		t.Fatal(err)
	}
	present, err := os.Create(filepath.Join(path+".locks", "open"))
	if err != nil {
		t.Fatal(err)
	}
	defer present.Close()
	if err := syscall.Flock(int(present.Fd()), syscall.LOCK_SH); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(busy.Fd()), syscall.LOCK_UN); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-errc:
		if err == nil || !strings.Contains(err.Error(), "set Options.Shared here too") {
			t.Errorf("Open: %v, want ErrLocked, as it is shared", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("Open waits for ever")
	}
}

// opened is how often this process has the file at path open.
func opened(t *testing.T, path string) (n int) {
	t.Helper()
	links, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if to, err := os.Readlink(link); err == nil && to == path {
			n++
		}
	}
	return n
}

// A file that may be read but not written is an error of Open in shared mode too,
// and not of the first Save.
func TestSharedReadOnlyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.db")
	openShared(t, path).Close()
	for _, p := range []string{filepath.Dir(path), path + ".locks", path} {
		if err := os.Chmod(p, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	locks, err := filepath.Glob(path + ".locks/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, lock := range locks {
		if err := os.Chmod(lock, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Dir(filepath.Dir(path)), 0o755); err != nil {
		t.Fatal(err)
	}
	donec := make(chan struct{})
	go func() {
		defer close(donec)
		runtime.LockOSThread() // and never unlocked: it is without root's rights then
		if err := syscall.Setfsuid(65534); err != nil {
			t.Error(err)
		}
		db, err := persist.Open(path, persist.Options{Shared: true})
		if !errors.Is(err, fs.ErrPermission) {
			t.Errorf("Open: %v, want fs.ErrPermission", err)
		}
		if err == nil {
			db.Close()
		}
	}()
	<-donec
}
