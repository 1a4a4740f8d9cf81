package persist

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// guard runs f, which reads bbolt's pages, and makes of its panic an error.
// bbolt trusts its pages: damaged ones make it panic, or read where the file has
// no more, which without SetPanicOnFault ends the process.
func guard(path string, f func()) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %s: %v", ErrDamaged, path, p)
		}
	}()
	f()
	return nil
}

// begin opens a transaction, which end must end. Writers hold db.writing, not
// only bbolt's own lock: that one stays locked for ever when a write panics. ctx
// counts in shared mode, where the file has to be waited for.
func (db *DB) begin(ctx context.Context, writable bool) (tx *bbolt.Tx, tokens *bbolt.Bucket, err error) {
	if failure := db.failure.Load(); failure != nil {
		return nil, nil, *failure
	}
	unsettled := db.unsettled.Load()
	if unsettled && !writable {
		select {
		case db.writing <- struct{}{}:
			defer db.writing.Unlock()
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	}
	if db.shared != nil {
		if err := db.enter(ctx, writable || unsettled); err != nil {
			return nil, nil, err
		}
		defer func() {
			if err != nil {
				db.exit()
			}
		}()
	}
	// A file that somebody cut off while it was open would be read behind its
	// end, and then grown over the damage.
	switch info, err := db.file.Stat(); {
	case errors.Is(err, fs.ErrClosed):
		return nil, nil, db.closed()
	case err != nil:
		return nil, nil, fmt.Errorf("persist: %w", err)
	case info.Size() < db.info.Size():
		return nil, nil, db.fail(fmt.Errorf("%w: %s: it was cut from %d to %d bytes while it was open: "+
			"close it, restore it from a backup and open it again", ErrDamaged, db.path, db.info.Size(), info.Size()))
	case writable && db.shared == nil && db.gone():
		return nil, nil, fmt.Errorf("persist: %s: %w: it was removed or replaced while it was open, and what is saved now "+
			"would go with it: put it back, or close the store and open the new file", db.path, fs.ErrNotExist)
	}
	if unsettled {
		if err := db.settle(); err != nil {
			return nil, nil, err
		}
	}
	if failed := guard(db.path, func() {
		if tx, err = db.bolt.Begin(writable); err == nil {
			tokens = tx.Bucket(bucketName)
		}
	}); failed != nil {
		return nil, nil, db.fail(failed)
	}
	if errors.Is(err, berrors.ErrDatabaseNotOpen) {
		return nil, nil, db.closed()
	}
	if errors.Is(err, berrors.ErrInvalidMapping) { // bbolt gave up the mapping, and could not make a larger one
		return nil, nil, fmt.Errorf("persist: %s: it could not be mapped into memory again after it had grown, for want of memory "+
			"or of a disk: close the store and open it again: %w", db.path, err)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("persist: %s: %w", db.path, err)
	}
	return tx, tokens, nil
}

// gone reports whether the name of the file leads to no file, or to another: then
// what is written to the open one is lost when it is closed.
func (db *DB) gone() bool {
	now, err := os.Stat(db.path)
	return errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(now, db.info)
}

// end ends what begin began: a transaction that was not committed is rolled back.
func (db *DB) end(tx *bbolt.Tx) {
	if db.failure.Load() == nil { // otherwise it would read the damaged pages again
		if failed := guard(db.path, func() { _ = tx.Rollback() }); failed != nil {
			_ = db.fail(failed)
		}
	}
	if db.shared != nil {
		db.exit()
	}
}

// fail ends the use of the file: after a panic in a transaction nobody knows
// which of bbolt's locks are held and which of its pages are whole.
func (db *DB) fail(err error) error {
	db.failure.CompareAndSwap(nil, &err)
	return err
}

func (db *DB) closed() error {
	return fmt.Errorf("persist: %s: %w", db.path, fs.ErrClosed)
}
