package persist

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"go.etcd.io/bbolt"

	"example.com/tokenactor/manager"
)

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
		if db.put(tokens, writes, errs) > 0 {
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
func (db *DB) put(tokens *bbolt.Bucket, writes []manager.Write, errs []error) (stored int) {
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
		if failed := guard(db.path, func() { errs[i] = admitOver(db.sealer, w, tokens.Get(key)) }); failed != nil {
			errs[i] = &manager.NameError{Name: w.Name, Err: failed}
		}
		if errs[i] != nil {
			continue
		}
		begin := len(buf)
		buf = db.sealer.Append(buf, w.Name, w.Snapshot)
		if err := tokens.Put(key, buf[begin:]); err != nil {
			errs[i] = &manager.NameError{Name: w.Name, Err: err}
			continue
		}
		stored++
	}
	return stored
}
