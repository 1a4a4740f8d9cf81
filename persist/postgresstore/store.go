package postgresstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist/internal/early"
	"example.com/tokenactor/persist/internal/tenure"
	"example.com/tokenactor/persist/record"
)

// Options are how a Store uses PostgreSQL. The zero value is the default.
type Options struct {
	// Table of the credentials, or schema.table: of any characters but dots, in
	// upper and lower case as given. "": tokenactor. Write it the same way in all
	// processes: the channel of the news is named after it.
	Table string

	// Sealer seals the records (see record.NewSealer). Nil: they are stored as they
	// are. Names and revisions are never sealed.
	Sealer *record.Sealer

	// Lease is how long a lease lives that nobody renews: so long a process that
	// died keeps others from its credentials. 0: 1 min. It has to outlive
	// Policy.Limit + Config.SaveLimit by a second and a twentieth of itself, or
	// nothing with a refresh token is refreshed.
	Lease time.Duration
}

// A Store is a manager.Store in PostgreSQL. New makes it, Close ends it.
type Store struct {
	pool    *pgxpool.Pool
	table   string // quoted
	channel string
	sql     statements
	sealer  *record.Sealer
	keeper  *tenure.Keeper
	early   early.Names
}

var (
	_ manager.Store   = (*Store)(nil)
	_ manager.Watcher = (*Store)(nil)
)

// New makes a Store of the caller's pool, which it does not close. It sends nothing
// yet, so it works while PostgreSQL is away.
func New(pool *pgxpool.Pool, o Options) (*Store, error) {
	if pool == nil {
		return nil, errors.New("postgresstore: no pool: make one with pgxpool.New")
	}
	if o.Table == "" {
		o.Table = "tokenactor"
	}
	table, err := quote(o.Table)
	if err != nil {
		return nil, err
	}
	if o.Lease == 0 {
		o.Lease = time.Minute
	}
	if o.Lease < time.Second {
		return nil, fmt.Errorf("postgresstore: leases of %v: give them a second at least", o.Lease)
	}
	s := &Store{pool: pool, table: table, channel: channel(table), sql: on(table), sealer: o.Sealer}
	s.keeper = tenure.New(leases{s}, o.Lease)
	return s, nil
}

// Close gives up what the Store itself holds: the renewal of its leases. Close the
// Manager before, and the pool after.
func (s *Store) Close() error {
	s.keeper.Close()
	return nil
}

// Locker returns the leases. A manager.Manager finds it by itself.
func (s *Store) Locker() manager.Locker { return s.keeper }

// Load returns the snapshots of names in one round trip.
func (s *Store) Load(ctx context.Context, names []string) ([]manager.Snapshot, error) {
	s.early.Note(names...)
	snapshots := make([]manager.Snapshot, len(names))
	asked := make([][]byte, len(names))
	var bad []error
	for i, name := range names {
		if err := record.CheckName(name); err != nil {
			bad = append(bad, &manager.NameError{Name: name, Err: err})
			continue // nothing is stored under a NULL
		}
		asked[i] = []byte(name)
	}
	rows, err := s.pool.Query(ctx, s.sql.load, asked)
	if err != nil {
		return nil, explained("cannot load", err)
	}
	var (
		place    int
		revision uint64
		data     []byte
	)
	if _, err := pgx.ForEachRow(rows, []any{&place, &revision, &data}, func() error {
		name := names[place-1]
		snapshot, err := s.decode(name, revision, data)
		if err != nil {
			bad = append(bad, &manager.NameError{Name: name, Err: err})
		}
		snapshots[place-1] = snapshot
		return nil
	}); err != nil {
		return nil, explained("cannot load", err)
	}
	return snapshots, errors.Join(bad...)
}

// decode makes a snapshot of the row of name.
func (s *Store) decode(name string, revision uint64, data []byte) (manager.Snapshot, error) {
	snapshot, err := s.sealer.Decode(name, data)
	if err != nil {
		return manager.Snapshot{}, err
	}
	if snapshot.Revision != revision {
		return manager.Snapshot{}, fmt.Errorf("%w: its row says revision %d, the record %d", record.ErrDamaged, revision, snapshot.Revision)
	}
	return snapshot, nil
}
