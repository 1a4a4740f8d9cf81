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

	cursor := tokens.Cursor()
	step := cursor.First
	return db.each(ctx, f, func(records []stored) ([]stored, error) {
		err := guard(db.path, func() {
			for step != nil && len(records) < shelfSize {
				name, data := step()
				if step = cursor.Next; name == nil {
					step = nil
					return
				}
				records = append(records, stored{name, data})
			}
		})
		return records, err
	})
}

const (
	shelfSize = 256 // records
	lookAhead = 4   // shelves
)

// A shelf is some records in a row, and what they say.
type shelf struct {
	records []stored
	found   []found
	err     error         // why found ends before records
	donec   chan struct{} // closed when found and err are final
}

// A stored is a record as it was stored, perhaps in the file's pages still.
type stored struct{ name, data []byte }

type found struct {
	name     string
	snapshot manager.Snapshot
	err      error
}

// each calls f with every snapshot that fetch returns: some records at a time, none when
// there are no more, and with an error those before the damage. To take records apart is
// most of a Scan's work: goroutines do it while f has those before.
func (db *DB) each(ctx context.Context, f func(name string, s manager.Snapshot) error, fetch func([]stored) ([]stored, error)) error {
	var (
		bad   damages
		ended error
		ahead []*shelf
		used  []*shelf // may be used again
	)
	defer func() { // whoever calls ends the transaction
		for _, s := range ahead {
			<-s.donec
		}
	}()
	for more := true; ; {
		for more && len(ahead) < lookAhead {
			s := &shelf{}
			if last := len(used) - 1; last >= 0 {
				s, used = used[last], used[:last]
			}
			s.records, ended = fetch(s.records[:0])
			more = len(s.records) > 0 && ended == nil
			s.donec = make(chan struct{})
			ahead = append(ahead, s)
			go db.read(s)
		}
		if len(ahead) == 0 {
			return bad.join(ended)
		}
		s := ahead[0]
		<-s.donec
		for i := range s.found {
			if err := ctx.Err(); err != nil {
				return bad.join(err)
			}
			switch r := &s.found[i]; {
			case r.err != nil:
				bad.add(r.name, r.err)
			case r.snapshot.Revision == 0: // in quarantine
			default:
				if err := f(r.name, r.snapshot); err != nil {
					return bad.join(err)
				}
			}
		}
		if s.err != nil {
			return bad.join(s.err)
		}
		ahead, used = ahead[1:], append(used, s)
	}
}

// read takes the records of a shelf apart.
func (db *DB) read(s *shelf) {
	defer close(s.donec)
	s.found = s.found[:0]
	s.err = guard(db.path, func() {
		for _, r := range s.records {
			name := string(r.name)
			snapshot, err := db.decode(name, r.data)
			s.found = append(s.found, found{name, snapshot, err})
		}
	})
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
