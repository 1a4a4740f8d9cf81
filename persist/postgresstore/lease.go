package postgresstore

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"example.com/tokenactor/persist/internal/tenure"
	"example.com/tokenactor/persist/record"
)

// leases are in the rows of the records, as package tenure asks for them.
type leases struct{ *Store }

func (s leases) Take(ctx context.Context, name, owner string, life time.Duration) (taken bool, holder string, left time.Duration, err error) {
	if err := record.CheckName(name); err != nil {
		return false, "", 0, err
	}
	var micros int64
	err = s.transact(ctx, func(b *pgx.Batch) {
		b.Queue(s.sql.take, []byte(name), owner, life.Microseconds()).QueryRow(func(row pgx.Row) error {
			return row.Scan(&taken, &holder, &micros)
		})
	})
	if err != nil {
		return false, "", 0, explained("cannot take it", err)
	}
	return taken, holder, time.Duration(max(micros, 0)) * time.Microsecond, nil
}

func (s leases) Extend(ctx context.Context, claims []tenure.Claim, life time.Duration) ([]bool, error) {
	names, owners := make([][]byte, len(claims)), make([]string, len(claims))
	for i, c := range claims {
		names[i], owners[i] = []byte(c.Name), c.Owner
	}
	still := make([]bool, len(claims))
	err := s.transact(ctx, func(b *pgx.Batch) {
		b.Queue(s.sql.extend, names, owners, life.Microseconds()).Query(func(rows pgx.Rows) error {
			var place int
			_, err := pgx.ForEachRow(rows, []any{&place}, func() error {
				still[place-1] = true
				return nil
			})
			return err
		})
	})
	if err != nil {
		return nil, explained("cannot renew leases", err)
	}
	return still, nil
}

func (s leases) Free(ctx context.Context, c tenure.Claim) error {
	news := message{freed, 0, c.Name}
	err := s.transact(ctx, func(b *pgx.Batch) {
		b.Queue(s.sql.free, []byte(c.Name), c.Owner, s.channel, news.String())
	})
	return explained(fmt.Sprintf("cannot give up the lease of %q", c.Name), err)
}
