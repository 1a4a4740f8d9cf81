package persist_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"example.com/tokenactor/persist"
)

// A file of somebody else's. Root may open anything, so the test gives up root's
// rights to files, on one thread that ends with it.
func TestScenario17NoPermission(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.db")
	open(t, path).Close()
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	donec := make(chan struct{})
	go func() {
		defer close(donec)
		runtime.LockOSThread() // and never unlocked
		if err := syscall.Setfsuid(65534); err != nil {
			t.Error(err)
		}
		wantError(t, "no permission", path, fs.ErrPermission)
		_ = wantErrorWith(t, "no permission, with quarantine", path, persist.Options{Quarantine: true}, fs.ErrPermission)
	}()
	<-donec
}
