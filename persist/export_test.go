package persist

import "go.etcd.io/bbolt"

// Commits is the number of transactions that were ever committed to the file.
func (db *DB) Commits() int { return Commits(db.bolt) }

// Commits is the same of any bbolt file.
func Commits(bolt *bbolt.DB) (n int) {
	_ = bolt.View(func(tx *bbolt.Tx) error { n = tx.ID(); return nil })
	return n
}
