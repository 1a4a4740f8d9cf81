package persist

import (
	"fmt"

	"go.etcd.io/bbolt"
)

// commit commits tx.
//
// Where the last sync of a commit fails, its change is in memory, and not on the
// disk. bbolt goes on from it all the same: who looks finds a mark that a power
// failure takes away, and the next commit overwrites pages that on the disk are
// still in use. A system does not write again by itself what it once failed to
// write, so that later syncs succeed without it. Hence settle.
func (db *DB) commit(tx *bbolt.Tx) error {
	db.metaSize = db.bolt.Info().PageSize // a commit that fails may leave nothing to ask
	err := tx.Commit()
	if err != nil {
		db.unsettled.Store(true)
		_ = db.settle() // begin tries again, and returns the error
	}
	return err
}

// settle makes the disk hold what bbolt would go on from: it writes the two pages
// again that say which others count. One after the other, so that a power failure
// finds a whole one. What they speak of was synced before them. Called by who may
// write.
func (db *DB) settle() error {
	page := make([]byte, db.metaSize)
	for at := int64(0); at < int64(2*len(page)); at += int64(len(page)) {
		_, err := db.file.ReadAt(page, at)
		if err == nil {
			_, err = db.file.WriteAt(page, at)
		}
		if err == nil {
			err = db.file.Sync()
		}
		if err != nil {
			return fmt.Errorf("persist: %s: a save failed, and the disk still does not take what is in memory: %w", db.path, err)
		}
	}
	db.unsettled.Store(false)
	return nil
}
