package postgresstore

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"example.com/tokenactor/manager"
)

// scanPage is how many rows are read at once.
const scanPage = 1000

// A row is that of a credential.
type row struct {
	id, name []byte
	revision uint64
	record   []byte
}

// Scan calls f with every snapshot, in no order. It reads a page at a time, each as of
// its own moment, so that a slow f keeps neither a connection nor the server's old rows.
func (s *Store) Scan(ctx context.Context, f func(name string, snapshot manager.Snapshot) error) error {
	var bad []error
	err := s.pages(ctx, func(r row) error {
		name := string(r.name)
		snapshot, err := s.decode(name, r.revision, r.record)
		if err != nil {
			bad = append(bad, &manager.NameError{Name: name, Err: err})
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.early.Note(name)
		return f(name, snapshot)
	})
	if len(bad) == 0 {
		return err // as it is: f's caller may compare it
	}
	return errors.Join(append(bad, err)...)
}

// pages calls f with all rows that have a record, while it holds no connection.
func (s *Store) pages(ctx context.Context, f func(row) error) error {
	last := []byte{}
	for {
		rows, err := s.pool.Query(ctx, s.sql.page, last, scanPage)
		if err != nil {
			return explained("cannot scan", err)
		}
		page, err := pgx.CollectRows(rows, func(from pgx.CollectableRow) (r row, err error) {
			return r, from.Scan(&r.id, &r.name, &r.revision, &r.record)
		})
		if err != nil {
			return explained("cannot scan", err)
		}
		for _, r := range page {
			if err := f(r); err != nil {
				return err
			}
		}
		if len(page) < scanPage {
			return nil
		}
		last = page[len(page)-1].id
	}
}
