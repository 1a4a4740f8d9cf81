package persist

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"example.com/tokenactor/manager"
)

// How long one that waits for a lease pauses between two tries, at first and
// later. News of the token that it waits for come to it by Watch.
const (
	leasePauseFirst = 5 * time.Millisecond
	leasePauseLast  = 250 * time.Millisecond
)

// Locker returns the leases of a store in shared mode, and nil otherwise. A
// manager.Manager finds it by itself.
//
// A lease is the kernel's lock of a file beside the store's, one for each
// credential. It is held until Unlock or the end of the process, however it ends,
// and it is free at the same moment. When the context of a Lock ends, the error
// names the holder: one that was stopped keeps its leases.
func (db *DB) Locker() manager.Locker {
	if db.shared == nil {
		return nil
	}
	return (*locker)(db.shared)
}

type locker shared

// Lock waits until it holds the lease for name or ctx ends.
func (l *locker) Lock(ctx context.Context, name string) (manager.Lease, error) {
	if err := checkName(name); err != nil {
		return nil, &manager.NameError{Name: name, Err: err}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	path := l.file(name)
	var f lockFile
	err := poll(ctx, leasePauseFirst, leasePauseLast, func() (_ bool, err error) {
		select {
		case <-l.closedc:
			return false, fmt.Errorf("%s: %w", l.gate.path, fs.ErrClosed)
		default:
		}
		f, err = take(path)
		return f.File != nil, err
	})
	switch {
	case err == nil:
		return &lease{locker: l, name: name, file: f, lostc: make(chan struct{})}, nil
	case ctx.Err() == nil:
		return nil, fmt.Errorf("persist: the lease of %q: %w", name, err)
	}
	return nil, fmt.Errorf("persist: the lease of %q is with %s: is it stopped?: %w", name, holderOf(path), err)
}

// file is the one whose lock is the lease. Any bytes make a name, so the file
// has another.
func (l *locker) file(name string) string {
	sum := sha256.Sum256([]byte(name))
	return filepath.Join(l.folder, "lease-"+hex.EncodeToString(sum[:16]))
}

// take locks the file at path; none: somebody else has it. One that waits has no
// file open: of thousands that wait few can have the lease, and files are few.
func take(path string) (lockFile, error) {
	f, err := openLock(path)
	if err != nil {
		return lockFile{}, err
	}
	got, err := f.try(true)
	if got {
		f.sign()
		return f, nil
	}
	return lockFile{}, errors.Join(err, f.unlock())
}

func holderOf(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return nobody
	}
	defer f.Close()
	return lockFile{f}.holder()
}

// A lease is a file that is locked.
type lease struct {
	locker *locker
	name   string
	lostc  chan struct{} // closed by Unlock

	mu   sync.Mutex
	file lockFile // none after Unlock
}

// Remaining is negative: the lease lasts as long as the process.
func (l *lease) Remaining() time.Duration { return -1 }

// Lost is closed by Unlock only.
func (l *lease) Lost() <-chan struct{} { return l.lostc }

// Unlock gives the lease up; a second time it does nothing.
func (l *lease) Unlock(context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file.File == nil {
		return nil
	}
	close(l.lostc) // before anybody else can have it
	f := l.file
	l.file = lockFile{}
	// The signature goes, and with it the block that the file takes on the disk:
	// of a million credentials these would be 4 GB.
	return errors.Join(f.Truncate(0), f.unlock())
}

// covers is the error of a write under a lease of ours that protects another
// store or name, nil: of others nothing is known here.
func (db *DB) covers(w *manager.Write) error {
	l, ours := w.Lease.(*lease)
	if !ours || db.shared != nil && l.locker.folder == db.shared.folder && l.name == w.Name {
		return nil
	}
	return &manager.NameError{Name: w.Name, Err: fmt.Errorf("%w: it is that of %q at %s", manager.ErrLeaseLost, l.name, l.locker.gate.path)}
}
