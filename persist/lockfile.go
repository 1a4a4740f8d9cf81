package persist

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"time"
)

// A lockFile is a file that is there to be locked: by the kernel, which frees it
// when its process ends, however it ends. It is never removed: a process that
// waits for the file under that name and one that made a new one would both
// have the lock.
type lockFile struct{ *os.File }

func openLock(path string) (lockFile, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) // and closed in children that are executed
	if err != nil {
		return lockFile{}, fmt.Errorf("persist: %w", err)
	}
	return lockFile{f}, nil
}

// signatureSize leaves room for the longest name of a host. All signatures are
// of one size, so that each covers the one before.
const signatureSize = 320

// sign writes into a locked file who holds it. The file is locked whether or not
// that can be written: a full disk keeps nobody from what is locked.
func (f lockFile) sign() {
	host, _ := os.Hostname() // in a container the process has its number there only
	text := fmt.Sprintf("process %d on %.255q since %s", os.Getpid(), host, time.Now().UTC().Format(time.RFC3339Nano))
	if _, err := fmt.Fprintf(io.NewOffsetWriter(f, 0), "%-*s\n", signatureSize, text); err != nil {
		_ = f.Truncate(0) // it would name the holder before
	}
}

// holder is who signed last.
func (f lockFile) holder() string {
	buf := make([]byte, signatureSize)
	n, _ := f.ReadAt(buf, 0)
	if text := strings.TrimSpace(string(buf[:n])); text != "" {
		return text
	}
	return nobody
}

// nobody is the holder of a file that nobody has signed.
const nobody = "a process that has not signed"

// unlock frees the file and closes it. The lock is given up by name: a child that
// is just being started has the open file too.
func (f lockFile) unlock() error {
	if f.File == nil {
		return nil
	}
	return errors.Join(f.free(), f.Close())
}

// poll tries until it is done or ctx ends, with pauses from first to most. The
// kernel could be waited for in place of that, but a thread that waits for a
// file lock cannot be called back when ctx ends, and each would be one thread.
func poll(ctx context.Context, first, most time.Duration, try func() (done bool, err error)) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for pause := first; ; pause = min(2*pause, most) {
		if done, err := try(); done || err != nil {
			return err
		}
		timer.Reset(pause/2 + rand.N(pause)) // in step, one of many would always come last
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
