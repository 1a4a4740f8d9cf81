package persist

import (
	"errors"
	"time"

	"golang.org/x/sys/windows"
)

const canShare = true

// The byte that is locked lies behind all content: on this system a locked one
// cannot be read, and the signature is to be.
var lockedByte = windows.Overlapped{Offset: 1 << 30}

// try locks the file, for itself alone or together with others, without waiting.
func (f lockFile) try(alone bool) (bool, error) {
	flags := uint32(windows.LOCKFILE_FAIL_IMMEDIATELY)
	if alone {
		flags |= windows.LOCKFILE_EXCLUSIVE_LOCK
	}
	err := f.control(func(h windows.Handle) error {
		at := lockedByte
		return windows.LockFileEx(h, flags, 0, 1, 0, &at)
	})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, windows.ERROR_IO_PENDING) {
		return false, nil
	}
	return err == nil, err
}

// free gives the lock up.
func (f lockFile) free() error {
	return f.control(func(h windows.Handle) error {
		at := lockedByte
		return windows.UnlockFileEx(h, 0, 1, 0, &at)
	})
}

func (f lockFile) control(do func(windows.Handle) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var done error
	err = conn.Control(func(fd uintptr) { done = do(windows.Handle(fd)) })
	if err == nil {
		err = done
	}
	return err
}

func nap() { time.Sleep(100 * time.Microsecond) }
