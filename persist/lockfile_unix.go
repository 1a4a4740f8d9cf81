//go:build !windows && !plan9 && !solaris && !aix && !android && !js && !wasip1

package persist

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// canShare says that this system has locks that belong to an open file, as
// opposed to a process: two DBs in one process exclude each other too.
const canShare = true

// try locks the file, for itself alone or together with others, without waiting.
func (f lockFile) try(alone bool) (bool, error) {
	how := syscall.LOCK_SH | syscall.LOCK_NB
	if alone {
		how = syscall.LOCK_EX | syscall.LOCK_NB
	}
	err := f.flock(how)
	if err == syscall.EWOULDBLOCK {
		return false, nil
	}
	return err == nil, err
}

// free gives the lock up.
func (f lockFile) free() error { return f.flock(syscall.LOCK_UN) }

func (f lockFile) flock(how int) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var locked error
	err = conn.Control(func(fd uintptr) {
		for {
			if locked = syscall.Flock(int(fd), how); locked != syscall.EINTR {
				return
			}
		}
	})
	if err == nil {
		err = locked
	}
	return err
}

// nap sleeps for about 0.1 ms. A timer of Go's may take ten times as long, as the
// poller beneath it counts in milliseconds.
func nap() {
	t := unix.NsecToTimeval(50_000)
	_, _ = unix.Select(0, nil, nil, nil, &t)
}
