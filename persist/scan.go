package persist

import (
	"context"

	"example.com/tokenactor/manager"
)

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
				s, broken = db.sealer.Decode(name, stored)
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
