package persist

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"example.com/tokenactor/manager"
)

var _ manager.Watcher = (*DB)(nil)

// watchPause is how often Watch looks, on the average.
const watchPause = 200 * time.Millisecond

// Watch tells of the writes of all processes since Open, its own too, until ctx
// ends, within about 300 ms. While nobody writes it reads a few bytes each time
// and takes no lock. After more than 16,384 writes at once it tells of all that
// is stored. Without Options.Shared there are no others, and Watch waits for the
// end of ctx.
//
// The error is ctx.Err(), fs.ErrClosed, or that of the file. While the file is
// locked or gone Watch goes on looking.
func (db *DB) Watch(ctx context.Context, f func(name string, revision uint64)) error {
	s := db.shared
	if s == nil {
		<-ctx.Done()
		return ctx.Err()
	}
	told, seen := s.opened, stamp{}
	return poll(ctx, watchPause, watchPause, func() (bool, error) {
		select {
		case <-s.closedc:
			return false, db.closed()
		default:
		}
		now := db.stamp()
		if now.same(seen) {
			return false, nil
		}
		next, err := db.tell(ctx, told, f)
		if errors.Is(err, ErrLocked) || errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		told, seen = next, now
		return false, err
	})
}

// tell calls f with the news after from, and returns the position of the last.
func (db *DB) tell(ctx context.Context, from position, f func(name string, revision uint64)) (position, error) {
	tx, _, err := db.begin(ctx, false)
	if err != nil {
		return from, err
	}
	now := position{file: db.info}
	var (
		pieces   []piece
		complete bool
	)
	failed := guard(db.path, func() {
		pieces, complete = newsAfter(tx, now.file, from)
		now.number = newest(tx)
	})
	db.end(tx) // before f, which may take its time
	if failed != nil {
		return from, failed
	}
	for _, p := range pieces {
		f(p.name, p.revision)
	}
	if complete {
		return now, nil
	}
	err = db.Scan(ctx, func(name string, s manager.Snapshot) error {
		f(name, s.Revision)
		return nil
	})
	if errors.As(err, new(*manager.NameError)) {
		err = nil // of a damaged record there is no news
	}
	return now, err
}

// A stamp is which file it is, and the two places of it of which each commit changes
// one. Two files may have the same there, if as much was written to both.
type stamp struct {
	file   fs.FileInfo // nil: it could not be read
	places [2][64]byte
}

func (s stamp) same(other stamp) bool {
	return s.file != nil && other.file != nil && os.SameFile(s.file, other.file) && s.places == other.places
}

// stamp reads that of the file now. Times of the file would not do: of two writes
// within a tick of the kernel's clock the second would not show.
func (db *DB) stamp() (s stamp) {
	const header = 16 // of a page of bbolt's
	file, err := os.Open(db.path)
	if err != nil {
		return stamp{}
	}
	defer file.Close()
	for i := range s.places {
		if _, err := file.ReadAt(s.places[i][:], int64(i*db.shared.pageSize+header)); err != nil {
			return stamp{}
		}
	}
	if s.file, err = file.Stat(); err != nil {
		return stamp{}
	}
	return s
}
