package persist

import (
	"bytes"
	"context"

	"example.com/tokenactor/manager"
)

// portionSize and portionBytes bound what scanShared copies in one session: a
// few milliseconds, for which all other processes wait.
const (
	portionSize  = 2_000
	portionBytes = 1 << 20
)

// scanShared is Scan in shared mode. It copies a portion of the records at a
// time, so that nobody waits for f.
func (db *DB) scanShared(ctx context.Context, f func(name string, s manager.Snapshot) error) error {
	after := ""
	return db.each(ctx, f, func(records []stored) ([]stored, error) {
		records, err := db.portion(ctx, records, after)
		if last := len(records) - 1; last >= 0 {
			after = string(records[last].name)
		}
		return records, err
	})
}

// portion copies the records that follow a name. With an error it returns those
// before the damage.
func (db *DB) portion(ctx context.Context, records []stored, after string) ([]stored, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	tx, tokens, err := db.begin(ctx, false)
	if err != nil {
		return nil, err
	}
	defer db.end(tx)
	size := 0
	failed := guard(db.path, func() {
		cursor := tokens.Cursor()
		for key, record := cursor.Seek(append([]byte(after), 0)); key != nil; key, record = cursor.Next() {
			records = append(records, stored{bytes.Clone(key), bytes.Clone(record)})
			if size += len(key) + len(record); len(records) == portionSize || size >= portionBytes {
				return
			}
		}
	})
	return records, failed
}
