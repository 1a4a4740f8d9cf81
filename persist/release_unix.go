//go:build !windows && !plan9 && !solaris && !aix && !android

package persist

import (
	"os"
	"syscall"
)

// release closes a file that bbolt cannot close any more. The lock is given up
// by name: bbolt's mapping stays, and a mapping keeps a flock alive.
func release(f *os.File) error {
	_ = syscall.Flock(int(f.Fd()), syscall.LOCK_UN) // of a closed file it does nothing
	return f.Close()
}
