package etcdstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist/internal/tenure"
	"example.com/tokenactor/persist/record"
)

// Options are how a Store uses etcd. The zero value is the default.
type Options struct {
	// Prefix of all keys. "": "tokenactor/".
	Prefix string

	// Sealer seals the records (see record.NewSealer). Nil: they are stored as they
	// are. Names and revisions are never sealed.
	Sealer *record.Sealer

	// Lease is how long a lease lives that nobody renews: so long a process that
	// died keeps others from its credentials. 0: 1 min. It has to outlive
	// Policy.Limit + Config.SaveLimit by a second and a twentieth of itself, or
	// nothing with a refresh token is refreshed.
	Lease time.Duration
}

// A Store is a manager.Store in etcd. New makes it, Close ends it.
type Store struct {
	client *clientv3.Client
	prefix string
	sealer *record.Sealer
	keeper *tenure.Keeper
	tenant session
	reach  *reach

	mu       sync.Mutex
	since    int64 // etcd's revision when we read first, or up to which the only Watch told of all; 0: not yet
	watching int   // calls of Watch
	shared   bool  // there were several at once: since is no Watch's own
}

var (
	_ manager.Store   = (*Store)(nil)
	_ manager.Watcher = (*Store)(nil)
)

// New makes a Store of the caller's client, which it does not close. It sends nothing
// yet, so it works while etcd is away.
func New(client *clientv3.Client, o Options) (*Store, error) {
	if o.Prefix == "" {
		o.Prefix = "tokenactor/"
	}
	if o.Lease == 0 {
		o.Lease = time.Minute
	}
	if o.Lease < 2*time.Second {
		return nil, fmt.Errorf("etcdstore: leases of %v: give them two seconds at least", o.Lease)
	}
	s := &Store{client: client, prefix: o.Prefix, sealer: o.Sealer, reach: newReach(client)}
	s.tenant = session{client: client, reach: s.reach, slack: o.Lease / 8, turn: make(chan struct{}, 1)}
	s.keeper = tenure.New(leases{s}, o.Lease)
	return s, nil
}

// Close gives up what the Store itself holds: its leases and their renewal. Close the
// Manager before.
func (s *Store) Close() error {
	s.keeper.Close()
	defer s.reach.close()
	if err := s.tenant.end(); err != nil {
		return fmt.Errorf("etcdstore: the lease of this process ends by itself: %w", err)
	}
	return nil
}

// Locker returns the leases. A manager.Manager finds it by itself.
func (s *Store) Locker() manager.Locker { return s.keeper }

func (s *Store) key(name string) string      { return s.prefix + "record/" + name }
func (s *Store) leaseKey(name string) string { return s.prefix + "lease/" + name }

// batch is how many operations go into one transaction: etcd's own limit is 128.
const batch = 100

// Load returns the snapshots of names, a hundred in a round trip.
func (s *Store) Load(ctx context.Context, names []string) ([]manager.Snapshot, error) {
	ctx, done, err := s.reach.call(ctx)
	if err != nil {
		return nil, fmt.Errorf("etcdstore: cannot load: %w", err)
	}
	defer done()
	snapshots := make([]manager.Snapshot, len(names))
	var bad []error
	for begin := 0; begin < len(names); begin += batch {
		part := names[begin:min(begin+batch, len(names))]
		gets := make([]clientv3.Op, len(part))
		for i, name := range part {
			gets[i] = clientv3.OpGet(s.key(name))
		}
		answer, err := s.client.Txn(ctx).Then(gets...).Commit()
		if err != nil {
			return nil, fmt.Errorf("etcdstore: cannot load: %w", plain(ctx, err))
		}
		s.read(answer.Header.Revision)
		for i, name := range part {
			err := record.CheckName(name)
			if kvs := answer.Responses[i].GetResponseRange().Kvs; err == nil && len(kvs) > 0 {
				snapshots[begin+i], err = s.decode(name, kvs[0])
			}
			if err != nil {
				bad = append(bad, &manager.NameError{Name: name, Err: err})
			}
		}
	}
	return snapshots, errors.Join(bad...)
}

// read notes where the first Watch has to begin.
func (s *Store) read(revision int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.since == 0 {
		s.since = revision
	}
}

// plain returns what ended a call, where that was ctx or the absence of etcd: the client's
// own error is a status of gRPC that errors.Is does not know.
func plain(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); err != nil && errors.Is(cause, errAway) {
		return cause
	}
	if ended := ctx.Err(); ended != nil && !errors.Is(err, ended) {
		return fmt.Errorf("%w: %w", ended, err)
	}
	return err
}
