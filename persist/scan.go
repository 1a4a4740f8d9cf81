package persist

import (
	"context"
	"sync/atomic"

	"example.com/tokenactor/manager"
)

// Scan calls f with every snapshot in the order of the names, all as of one
// moment. A Save that makes the file grow waits until Scan is done.
//
// In shared mode that would be all other processes, so there Scan copies a few
// thousand records at a time: each is as of the moment when it was copied, and
// no name that is there all the while is left out or told twice.
//
// Where bbolt's own pages are damaged, Scan ends there with ErrDamaged; records
// behind may still be found by Load.
func (db *DB) Scan(ctx context.Context, f func(name string, s manager.Snapshot) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if db.shared != nil {
		return db.scanShared(ctx, f)
	}
	tx, tokens, err := db.begin(ctx, false)
	if err != nil {
		return err
	}
	defer db.end(tx)
	defer db.readAhead(tx.Size())()

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
				s, broken = db.decode(name, stored)
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
		if s.Revision == 0 {
			continue // in quarantine
		}
		if err := f(name, s); err != nil {
			return bad.join(err)
		}
	}
}

// readAhead begins to read the file from its beginning, so that its pages are in
// memory when they are wanted. bbolt maps it for random access: a Scan of a
// million cold records that waits for the disk at each page takes ten times as
// long. The function ends it. An error is left to whoever needs the page.
func (db *DB) readAhead(size int64) (end func()) {
	var enough atomic.Bool
	donec := make(chan struct{}) // closed when the goroutine ends
	go func() {
		defer close(donec)
		buf := make([]byte, min(size, 1<<20))
		for at := int64(0); at < size && !enough.Load(); at += int64(len(buf)) {
			if _, err := db.file.ReadAt(buf, at); err != nil {
				return
			}
		}
	}()
	return func() {
		enough.Store(true)
		<-donec
	}
}
