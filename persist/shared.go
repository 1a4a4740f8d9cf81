package persist

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// How long the file is waited for behind one holder that does not move.
const (
	openPatience    = time.Second
	sessionPatience = 5 * time.Second // a disk that hangs for a moment is no reason to give up
)

// A shared is what a DB has besides in shared mode. The file is open in sessions
// only, of one transaction each, and of all processes one has a session.
type shared struct {
	folder   string // of the locks
	gate     gate
	patience time.Duration

	idlec   chan struct{} // holds one token while this DB has no session
	closedc chan struct{} // closed by Close, which has that token then

	opened   position // in the news when the DB was opened
	pageSize int      // of the file
}

// share opens db as one that others may have open as well.
func (db *DB) share() (err error) {
	if !canShare {
		return fmt.Errorf("persist: %s: Options.Shared: this system lacks the file locks for it: %w", db.path, errors.ErrUnsupported)
	}
	s := &shared{
		folder: lockFolder(db.path), gate: gate{path: db.path}, patience: openPatience,
		idlec: make(chan struct{}, 1), closedc: make(chan struct{}),
	}
	s.idlec <- struct{}{}
	if err := os.Mkdir(s.folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("persist: cannot make the folder of the locks: %w", err)
	}
	if db.present, err = attend(db.path, false); err != nil {
		return err
	}
	err = s.gate.open(s.folder)
	if err == nil {
		db.shared = s
		err = db.first()
	}
	if err != nil {
		return errors.Join(err, s.gate.close(), db.present.unlock())
	}
	s.patience = sessionPatience
	return nil
}

// first is the first session, which finds out whether the file is in order, and
// may be written to.
func (db *DB) first() error {
	tx, _, err := db.begin(context.Background(), true)
	if err != nil {
		return err
	}
	defer db.end(tx)
	db.shared.opened, db.shared.pageSize = position{db.info, newest(tx)}, db.bolt.Info().PageSize
	return nil
}

// enter opens the file for a session.
func (db *DB) enter(ctx context.Context, writable bool) (err error) {
	s := db.shared
	select {
	case <-s.idlec:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() {
		if err != nil {
			s.idlec <- struct{}{}
		}
	}()
	select {
	case <-s.closedc:
		return db.closed()
	default:
	}
	if err := s.gate.enter(ctx, s.patience); err != nil {
		return err
	}
	begun := time.Now()
	err = poll(ctx, 10*time.Millisecond, 50*time.Millisecond, func() (bool, error) {
		err := db.open(!writable, 1) // one try at the lock, as bbolt would not heed ctx
		if errors.Is(err, ErrLocked) && time.Since(begun) < s.patience {
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		return errors.Join(err, s.gate.leave())
	}
	return nil
}

// exit closes the file after a session.
func (db *DB) exit() {
	s := db.shared
	if db.failure.Load() == nil {
		if failed := guard(db.path, func() { _ = db.bolt.Close() }); failed != nil { // what was committed is on the disk
			_ = db.fail(failed)
		}
	}
	if db.failure.Load() != nil {
		_ = release(db.file)
	}
	_ = s.gate.leave()
	s.idlec <- struct{}{}
}

// unshare is Close in shared mode.
func (db *DB) unshare() error {
	s := db.shared
	<-s.idlec
	defer func() { s.idlec <- struct{}{} }()
	select {
	case <-s.closedc:
		return nil
	default:
		close(s.closedc)
	}
	return errors.Join(s.gate.close(), db.present.unlock())
}

// lockFolder is where the locks are of the store at path.
func lockFolder(path string) string { return path + ".locks" }

// attend says, until what it returns is closed, that this process has the store
// open, alone or with others. bbolt's lock does not say so in shared mode, where
// it is held during sessions only.
func attend(path string, alone bool) (lockFile, error) {
	f, err := openLock(filepath.Join(lockFolder(path), "open"))
	if err != nil {
		return lockFile{}, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), openPatience)
	defer cancel()
	switch err = poll(ctx, 10*time.Millisecond, 50*time.Millisecond, func() (bool, error) { return f.try(alone) }); {
	case err == nil:
		f.sign()
		return f, nil
	case ctx.Err() == nil:
		err = fmt.Errorf("persist: %s: %w", f.Name(), err)
	case alone:
		err = fmt.Errorf("%w: %s: it is open in shared mode, last by %s: close it there, or set Options.Shared here too", ErrLocked, path, f.holder())
	default:
		err = fmt.Errorf("%w: %s: %s has it open for itself: close it there, or set Options.Shared there too", ErrLocked, path, f.holder())
	}
	return lockFile{}, errors.Join(err, f.unlock())
}

// attendAlone is attend for a DB that is not shared.
func attendAlone(path string) (lockFile, error) {
	if _, err := os.Stat(lockFolder(path)); !canShare || errors.Is(err, fs.ErrNotExist) {
		return lockFile{}, nil // it was never shared
	}
	return attend(path, true)
}
