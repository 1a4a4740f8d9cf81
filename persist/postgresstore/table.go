package postgresstore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// longest is the length of the longest identifier. PostgreSQL cuts longer ones, and
// then two tables may be one.
const longest = 63

// quote turns Options.Table into SQL.
func quote(table string) (string, error) {
	parts := strings.Split(table, ".")
	if len(parts) > 2 {
		return "", fmt.Errorf("postgresstore: table %q: write it as table or schema.table, without other dots", table)
	}
	for _, part := range parts {
		if part == "" || len(part) > longest || strings.ContainsRune(part, 0) {
			return "", fmt.Errorf("postgresstore: table %q: its parts have 1 to %d bytes, none of them 0", table, longest)
		}
	}
	return pgx.Identifier(parts).Sanitize(), nil
}

// channel is where the news of a table is told. It is short enough for an identifier.
func channel(table string) string {
	sum := sha256.Sum256([]byte(table))
	return "tokenactor_" + hex.EncodeToString(sum[:8])
}

// Schema returns the SQL that makes the table, for those who keep theirs by hand. Table
// is that of Options.
func Schema(table string) (string, error) {
	quoted, err := quote(table)
	if err != nil {
		return "", err
	}
	return schema(quoted), nil
}

// schema leaves room in each page: a row is written four times for each refresh, and
// stays in its page and out of the index only where there is some.
func schema(quoted string) string {
	return `CREATE TABLE IF NOT EXISTS ` + quoted + ` (
	id       bytea PRIMARY KEY, -- SHA-256 of the name
	name     bytea NOT NULL,
	revision bigint NOT NULL DEFAULT 0, -- 0: there is a lease and nothing else
	record   bytea,
	owner    text, -- of the lease
	until    timestamptz
) WITH (fillfactor = 50)`
}

// lockKey is that of the advisory lock under which tables are made: even IF NOT EXISTS
// fails where two make one at once.
const lockKey = 0x746f6b656e616374

// CreateTable makes the table if it is not there. Any number of processes may call it
// at once. Where it is there the role needs no right to make tables.
func (s *Store) CreateTable(ctx context.Context) error {
	err := s.look(ctx)
	if !missing(err) {
		return explained("cannot use the table", err)
	}
	err = s.transact(ctx, func(b *pgx.Batch) {
		b.Queue(`SELECT pg_advisory_xact_lock($1)`, int64(lockKey))
		b.Queue(schema(s.table))
	})
	if err == nil {
		err = s.look(ctx)
	}
	return explained("cannot make the table "+s.table, err)
}

// look fails where the table is missing or another's.
func (s *Store) look(ctx context.Context) error {
	_, err := s.pool.Exec(ctx, s.sql.look)
	return err
}
