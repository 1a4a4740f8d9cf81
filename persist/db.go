package persist

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"go.etcd.io/bbolt"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist/record"
)

// A DB is a Store in one bbolt file. Open makes it, Close ends it. Its methods
// may be called by any number of goroutines; writers queue, readers do not.
type DB struct {
	path string
	bolt *bbolt.DB
	file *os.File // bbolt's own: a second one would drop the lock where locks are per process

	size int64 // of the file when it was opened: it never shrinks

	writing sync.Mutex            // held by the one write transaction, and by Close
	failure atomic.Pointer[error] // why the file is used no more, nil: it is
}

var _ manager.Store = (*DB)(nil)

// Close waits for what is running and closes the file. Later calls of the other
// methods get fs.ErrClosed, a second Close nil.
func (db *DB) Close() error {
	db.writing.Lock()
	defer db.writing.Unlock()
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

// Load gives the snapshots of names, all as of one moment.
func (db *DB) Load(ctx context.Context, names []string) ([]manager.Snapshot, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	tx, tokens, err := db.begin(false)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback()

	snapshots := make([]manager.Snapshot, len(names))
	var bad damages
	for i, name := range names {
		err := checkName(name)
		if failed := guard(db.path, func() {
			if stored := tokens.Get([]byte(name)); stored != nil {
				snapshots[i], err = record.Decode(stored)
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

// Scan calls f with every snapshot in the order of the names, all as of one
// moment. A Save that makes the file grow waits until Scan is done.
//
// Where bbolt's own pages are damaged, Scan ends there with ErrDamaged; records
// behind may still be found by Load.
func (db *DB) Scan(ctx context.Context, f func(name string, s manager.Snapshot) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	tx, tokens, err := db.begin(false)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	db.readAhead(tx.Size())

	var bad damages
	cursor := tokens.Cursor()
	next := cursor.Next
	for step := cursor.First; ; step = next {
		var (
			name   string
			s      manager.Snapshot
			broken error
			more   bool
		)
		// Not f: its panics are its caller's.
		if err := guard(db.path, func() {
			key, stored := step()
			if more = key != nil; more {
				name = string(key)
				s, broken = record.Decode(stored)
			}
		}); err != nil || !more {
			return bad.join(err)
		}
		if err := ctx.Err(); err != nil {
			return bad.join(err)
		}
		if broken != nil {
			bad.add(name, broken)
			continue
		}
		if err := f(name, s); err != nil {
			return bad.join(err)
		}
	}
}

// readAhead reads the file once from its beginning, so that its pages are in
// memory. bbolt maps it for random access: a Scan of a million cold records that
// waits for the disk at each page takes five times as long. An error is left to
// whoever needs the page.
func (db *DB) readAhead(size int64) {
	buf := make([]byte, min(size, 1<<20))
	for at := int64(0); at < size; at += int64(len(buf)) {
		if _, err := db.file.ReadAt(buf, at); err != nil {
			return
		}
	}
}

// Save carries out writes in one transaction, and those of one name in their
// order. It answers when they are on the disk. ctx counts until the transaction
// begins: from then on it is brief, and its outcome should be known.
func (db *DB) Save(ctx context.Context, writes []manager.Write) []error {
	errs := make([]error, len(writes))
	if err := ctx.Err(); err != nil {
		return fill(errs, err)
	}
	db.writing.Lock()
	defer db.writing.Unlock()
	if err := ctx.Err(); err != nil {
		return fill(errs, err)
	}
	tx, tokens, err := db.begin(true)
	if err != nil {
		return fill(errs, err)
	}

	if failed := guard(db.path, func() {
		if put(db.path, tokens, writes, errs) > 0 {
			err = tx.Commit()
		} else {
			err = tx.Rollback() // a commit would sync the disk for nothing
		}
	}); failed != nil {
		// Not rolled back: that reads the damaged pages again.
		err = db.fail(failed)
	} else if err != nil {
		err = fmt.Errorf("persist: %s: cannot save: %w", db.path, err)
	}
	return fill(errs, err)
}

// put stores what may be stored, and gives the others their errors.
func put(path string, tokens *bbolt.Bucket, writes []manager.Write, errs []error) (stored int) {
	// In the order of the keys, neighbours meet on their page while it is at
	// hand. Stable: two writes of one name keep their order.
	order := make([]int, len(writes))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return strings.Compare(writes[a].Name, writes[b].Name) })

	var buf []byte // of all records: bbolt keeps them until the commit
	for _, i := range order {
		w, key := &writes[i], []byte(writes[i].Name)
		if failed := guard(path, func() { errs[i] = admitOver(w, tokens.Get(key)) }); failed != nil {
			errs[i] = &manager.NameError{Name: w.Name, Err: failed}
		}
		if errs[i] != nil {
			continue
		}
		begin := len(buf)
		buf = record.Append(buf, w.Snapshot)
		if err := tokens.Put(key, buf[begin:]); err != nil {
			errs[i] = &manager.NameError{Name: w.Name, Err: err}
			continue
		}
		stored++
	}
	return stored
}
