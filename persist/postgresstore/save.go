package postgresstore

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/jackc/pgx/v5"

	"example.com/tokenactor/manager"
)

// Save carries out writes in one round trip and one transaction, a statement each.
func (s *Store) Save(ctx context.Context, writes []manager.Write) []error {
	errs := make([]error, len(writes))
	order := make([]int, 0, len(writes))
	owners := make([]string, len(writes))
	for i := range writes {
		w := &writes[i]
		if owners[i], errs[i] = s.keeper.Admit(w); errs[i] == nil && w.Snapshot.Revision > math.MaxInt64 {
			errs[i] = &manager.NameError{Name: w.Name, Err: fmt.Errorf("revision %d is more than a bigint holds: the snapshot is damaged", w.Snapshot.Revision)}
		}
		if errs[i] == nil {
			order = append(order, i)
		}
	}
	if len(order) == 0 {
		return errs
	}
	// All processes lock rows in the order of their names, so none waits for one
	// that waits for it.
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(writes[i].Name, writes[j].Name) })
	err := s.transact(ctx, func(b *pgx.Batch) {
		for _, i := range order {
			s.queue(b, &writes[i], owners[i]).Query(func(rows pgx.Rows) (err error) {
				errs[i], err = verdict(rows)
				return err
			})
		}
	})
	if err != nil {
		err = explained("cannot save", err)
		for _, i := range order {
			errs[i] = err // what was saved before it is rolled back
		}
	}
	return errs
}

// queue adds the statement that saves w.
func (s *Store) queue(b *pgx.Batch, w *manager.Write, owner string) *pgx.QueuedQuery {
	news := message{saved, w.Snapshot.Revision, w.Name}
	args := []any{[]byte(w.Name), int64(w.Expect), s.sealer.Append(nil, w.Name, w.Snapshot), s.channel, news.String()}
	switch {
	case w.Lease != nil:
		return b.Queue(s.sql.replaceHeld, append(args, owner)...)
	case w.Expect == 0:
		return b.Queue(s.sql.create, args...)
	}
	return b.Queue(s.sql.replace, args...)
}

// verdict reads what came of a write.
func verdict(rows pgx.Rows) (of, err error) {
	word := "conflict"
	if rows.Next() {
		if err := rows.Scan(&word, nil); err != nil {
			return nil, err
		}
	}
	switch word {
	case "conflict":
		return manager.ErrConflict, nil
	case "lease":
		return manager.ErrLeaseLost, nil
	}
	return nil, nil
}

// transact sends BEGIN, the statements of fill and COMMIT in one round trip: no
// transaction ever waits for its process, unless that stops in the middle of sending.
func (s *Store) transact(ctx context.Context, fill func(*pgx.Batch)) error {
	var b pgx.Batch
	b.Queue(begin)
	b.Queue(synchronous)
	fill(&b)
	b.Queue("COMMIT")
	return s.pool.SendBatch(ctx, &b).Close()
}
