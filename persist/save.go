package persist

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"go.etcd.io/bbolt"

	"example.com/tokenactor/manager"
)

const (
	// enough is how many writes begin no further look into the queue: callers
	// who come without end do not keep the first from its commit.
	enough = 10_000

	// fillPercent is how full bbolt leaves a page that it splits. With its own
	// half, a file that was filled in the order of the names is 1.6 times as
	// large, and so is what a Scan reads and a Save rewrites. Fuller pages would
	// split as soon as all their records get a mark.
	fillPercent = 0.8
)

// errGivenUp is for those whose writes were with another goroutine that ended
// itself, in a method of a Lease.
var errGivenUp = errors.New("persist: the goroutine that was saving ended")

// Save carries out writes in one transaction, and those of one name in their
// order. It answers when they are on the disk.
//
// Calls from many goroutines share a transaction, and so the wait for the disk:
// whoever has the turn carries out all that wait, in the order in which they came.
// A write fails alone, unless the transaction itself does. ctx counts until the
// transaction takes the writes: from then on it is brief, and its outcome should
// be known. A call whose ctx ended before has stored nothing.
func (db *DB) Save(ctx context.Context, writes []manager.Write) []error {
	if err := ctx.Err(); err != nil {
		return fill(make([]error, len(writes)), err)
	}
	c := newCall(db.sealer, writes)
	db.queue.put(c)
	select {
	case <-c.donec:
	case db.writing <- struct{}{}:
		defer db.writing.Unlock()
		db.lead(ctx, c)
	case <-ctx.Done():
		if db.queue.remove(c) {
			return fill(c.errs, ctx.Err())
		}
		<-c.donec
	}
	return c.errs
}

// lead begins a transaction for all calls that wait. The caller has the turn, so
// that c is answered already or waits among them.
func (db *DB) lead(ctx context.Context, c *call) {
	select {
	case <-c.donec:
		return
	default:
	}
	var (
		tx     *bbolt.Tx
		tokens *bbolt.Bucket
		err    = ctx.Err()
	)
	if err == nil {
		tx, tokens, err = db.begin(ctx, true)
	}
	switch {
	case err == nil:
		db.carryOut(tx, tokens)
	case ctx.Err() != nil: // the others' may last longer: one of them has the next turn
		db.queue.remove(c)
		fill(c.errs, err)
	default:
		answer(db.queue.take(), err)
	}
}

// carryOut takes what waits into tx, commits it and answers.
func (db *DB) carryOut(tx *bbolt.Tx, tokens *bbolt.Bucket) {
	var calls []*call
	err := errGivenUp
	defer func() {
		db.end(tx)
		answer(calls, err)
	}()
	tokens.FillPercent = fillPercent

	if failed := guard(db.path, func() {
		taken, stored := 0, 0
		for taken < enough {
			some := db.queue.take()
			if len(some) == 0 {
				// Whom the last transaction answered come back just now. Without
				// the yield the first of them would write alone, and the others
				// wait for that.
				runtime.Gosched()
				if some = db.queue.take(); len(some) == 0 {
					break
				}
			}
			calls = append(calls, some...)
			n, ok := db.put(tokens, some)
			taken, stored = taken+n, stored+ok
		}
		if stored > 0 {
			if err = db.keepNoted(tx); err == nil {
				err = db.commit(tx)
			}
		} else {
			err = tx.Rollback() // a commit would sync the disk for nothing
		}
	}); failed != nil {
		// Not rolled back: that reads the damaged pages again.
		err = db.fail(failed)
	} else if err != nil {
		err = fmt.Errorf("persist: %s: cannot save: %w", db.path, err)
	}
}

// put stores of the taken writes what may be stored, and gives the others their
// errors.
func (db *DB) put(tokens *bbolt.Bucket, calls []*call) (taken, stored int) {
	var entries []*entry
	for _, c := range calls {
		for i := range c.entries {
			entries = append(entries, &c.entries[i])
		}
	}
	// In the order of the keys, neighbours meet on their page while it is at
	// hand. Stable: two writes of one name keep their order.
	slices.SortStableFunc(entries, func(a, b *entry) int { return strings.Compare(a.Name, b.Name) })

	for _, e := range entries {
		key := []byte(e.Name)
		if failed := guard(db.path, func() {
			if *e.err = db.covers(e.Write); *e.err == nil {
				*e.err = db.admit(tokens, e.Write, tokens.Get(key))
			}
		}); failed != nil {
			*e.err = &manager.NameError{Name: e.Name, Err: failed}
		}
		if *e.err != nil {
			continue
		}
		err := db.note(tokens.Tx(), e.Write) // first: news of what is not stored do no harm
		if err == nil {
			err = tokens.Put(key, e.record)
		}
		if err != nil {
			*e.err = &manager.NameError{Name: e.Name, Err: err}
			continue
		}
		stored++
	}
	return len(entries), stored
}
