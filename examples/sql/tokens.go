// Package sql keeps tokens in a table of a database: copy it into your program,
// where the table has its migrations and the database its driver.
//
// Any database does that has a column for bytes and a statement to put a row in
// the place of another: BLOB in SQLite, bytea in PostgreSQL, VARBINARY in MySQL
// (whose statement is INSERT … ON DUPLICATE KEY UPDATE). It is for one process.
// Where several share the table, use a store that compares revisions in the database.
package sql

import (
	"context"
	"database/sql"
	"errors"

	"example.com/tokenactor/persist"
	"example.com/tokenactor/persist/record"
)

// Schema makes the table. The names are bytes too: a text column would take some
// for equal that differ, by case or by how an é is spelled.
const Schema = `CREATE TABLE IF NOT EXISTS tokens (
	name   BLOB NOT NULL PRIMARY KEY,
	record BLOB NOT NULL
)`

// Store gives a Store of the table. Sealer nil: whoever reads the table, or a
// backup of it, has the tokens.
//
// SaveFunc returns when the row is committed. That it is on the disk then is the
// database's business: synchronous=FULL in SQLite, synchronous_commit in PostgreSQL.
func Store(db *sql.DB, sealer *record.Sealer) *persist.Func {
	return &persist.Func{
		Sealer: sealer,
		LoadFunc: func(ctx context.Context, name string) (data []byte, err error) {
			err = db.QueryRowContext(ctx, `SELECT record FROM tokens WHERE name = ?`, []byte(name)).Scan(&data)
			if errors.Is(err, sql.ErrNoRows) {
				return nil, nil // none yet
			}
			return data, err
		},
		SaveFunc: func(ctx context.Context, name string, data []byte) error {
			_, err := db.ExecContext(ctx, `INSERT INTO tokens (name, record) VALUES (?, ?)
				ON CONFLICT (name) DO UPDATE SET record = excluded.record`, []byte(name), data)
			return err
		},
		ScanFunc: func(ctx context.Context, f func(name string, data []byte) error) error {
			rows, err := db.QueryContext(ctx, `SELECT name, record FROM tokens`)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var name, data []byte
				if err := rows.Scan(&name, &data); err != nil {
					return err
				}
				if err := f(string(name), data); err != nil {
					return err
				}
			}
			return rows.Err()
		},
	}
}
