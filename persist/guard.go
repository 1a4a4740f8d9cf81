package persist

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
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
	if db.shared != nil {
		if err := db.enter(ctx, writable); err != nil {
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
	case info.Size() < db.size:
		return nil, nil, db.fail(fmt.Errorf("%w: %s: it was cut from %d to %d bytes while it was open: "+
			"close it, restore it from a backup and open it again", ErrDamaged, db.path, db.size, info.Size()))
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
	if err != nil {
		return nil, nil, fmt.Errorf("persist: %s: %w", db.path, err)
	}
	return tx, tokens, nil
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
