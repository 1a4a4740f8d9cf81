package persist

import (
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
	var bad damages
	for after := ""; ; {
		names, records, err := db.portion(ctx, after)
		for i, name := range names {
			if err := ctx.Err(); err != nil {
				return bad.join(err)
			}
			s, broken := db.decode(name, records[i])
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
		if err != nil || len(names) == 0 {
			return bad.join(err)
		}
		after = names[len(names)-1]
	}
}

// portion copies the records that follow a name. With an error it gives those
// before the damage.
func (db *DB) portion(ctx context.Context, after string) (names []string, records [][]byte, err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	tx, tokens, err := db.begin(ctx, false)
	if err != nil {
		return nil, nil, err
	}
	defer db.end(tx)
	size := 0
	failed := guard(db.path, func() {
		cursor := tokens.Cursor()
		for key, record := cursor.Seek(append([]byte(after), 0)); key != nil; key, record = cursor.Next() {
			names, records = append(names, string(key)), append(records, append([]byte(nil), record...))
			if size += len(key) + len(record); len(names) == portionSize || size >= portionBytes {
				return
			}
		}
	})
	return names, records, failed
}
