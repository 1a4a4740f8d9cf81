package persist

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"

	"go.etcd.io/bbolt"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist/record"
)

// A DB is a Store in one bbolt file. Open makes it, Close ends it. Its methods
// may be called by any number of goroutines; writers queue, readers do not.
type DB struct {
	path string // from the root, without links
	bolt *bbolt.DB
	file *os.File // bbolt's own: a second one would drop the lock where locks are per process

	sealer *record.Sealer // nil: records are stored as they are

	log         *slog.Logger
	quarantine  bool     // Options.Quarantine
	quarantined string   // where Open moved a damaged file
	warned      sync.Map // names of damaged records that the log has

	info fs.FileInfo // of the file when it was opened: it never shrinks

	present lockFile // says that the file is open here; none: it was never shared
	shared  *shared  // nil: the file is open here alone, until Close

	writing turn                  // held by the one write transaction, and by Close
	queue   queue                 // of the Saves that wait for it
	failure atomic.Pointer[error] // why the file is used no more, nil: it is

	unsettled atomic.Bool // what bbolt goes on from may not be on the disk
	metaSize  int         // of the two pages that say what that is; known when unsettled
}

var _ manager.Store = (*DB)(nil)

// Close waits for what is running and closes the file. Later calls of the other
// methods get fs.ErrClosed, a second Close nil.
func (db *DB) Close() error {
	db.writing.Lock()
	defer db.writing.Unlock()
	if db.shared != nil {
		return db.unshare()
	}
	defer db.present.unlock()
	if db.failure.Load() != nil {
		// bbolt's own Close would wait for locks that what failed may hold for
		// ever. The mapping stays until the process ends.
		if err := release(db.file); err != nil && !errors.Is(err, os.ErrClosed) {
			return fmt.Errorf("persist: %w", err)
		}
		return nil
	}
	if err := db.bolt.Close(); err != nil {
		return fmt.Errorf("persist: %s: %w", db.path, err)
	}
	return nil
}

// Load returns the snapshots of names, all as of one moment.
func (db *DB) Load(ctx context.Context, names []string) ([]manager.Snapshot, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	tx, tokens, err := db.begin(ctx, false)
	if err != nil {
		return nil, err
	}
	defer db.end(tx)

	snapshots := make([]manager.Snapshot, len(names))
	var bad damages
	for i, name := range names {
		err := checkName(name)
		if failed := guard(db.path, func() {
			if stored := tokens.Get([]byte(name)); stored != nil {
				snapshots[i], err = db.decode(name, stored)
			}
		}); failed != nil {
			err = failed
		}
		if err != nil {
			bad.add(name, err)
		}
	}
	return snapshots, bad.join(nil)
}
