package redisstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist/internal/early"
	"example.com/tokenactor/persist/internal/tenure"
	"example.com/tokenactor/persist/record"
)

// Options are how a Store uses Redis. The zero value is the default.
type Options struct {
	// Prefix of all keys and of the channel. "": "tokenactor:". It may not have braces,
	// which would change the hash tag.
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

// A Store is a manager.Store in Redis. New makes it, Close ends it.
type Store struct {
	client redis.UniversalClient
	prefix string
	sealer *record.Sealer
	keeper *tenure.Keeper
	early  early.Names
}

var (
	_ manager.Store   = (*Store)(nil)
	_ manager.Watcher = (*Store)(nil)
)

// New makes a Store of the caller's client, which it does not close: a redis.Client,
// also one of sentinels, or a redis.ClusterClient that reads from masters. It sends
// nothing yet, so it works while Redis is away.
func New(client redis.UniversalClient, o Options) (*Store, error) {
	if o.Prefix == "" {
		o.Prefix = "tokenactor:"
	}
	if strings.ContainsAny(o.Prefix, "{}") {
		return nil, fmt.Errorf("redisstore: prefix %q: braces would change the hash tag of a key: leave them out", o.Prefix)
	}
	if err := suits(client); err != nil {
		return nil, err
	}
	if o.Lease == 0 {
		o.Lease = time.Minute
	}
	if o.Lease < time.Second {
		return nil, fmt.Errorf("redisstore: leases of %v: give them a second at least", o.Lease)
	}
	s := &Store{client: client, prefix: o.Prefix, sealer: o.Sealer}
	s.keeper = tenure.New(leases{s}, o.Lease)
	return s, nil
}

// suits reports why a client cannot be trusted with credentials.
func suits(client redis.UniversalClient) error {
	switch c := client.(type) {
	case *redis.Ring:
		return errors.New("redisstore: a Ring looks elsewhere for the keys of a server that is away, and would find no login there: use a cluster")
	case *redis.ClusterClient:
		if c.Options().ReadOnly { // RouteByLatency and RouteRandomly set it
			return errors.New("redisstore: a client that reads from replicas gives what was true before: make it without ReadOnly, RouteByLatency and RouteRandomly")
		}
	}
	return nil
}

// Close gives up what the Store itself holds: the renewal of its leases. Close the
// Manager before.
func (s *Store) Close() error {
	s.keeper.Close()
	return nil
}

// Locker returns the leases. A manager.Manager finds it by itself.
func (s *Store) Locker() manager.Locker { return s.keeper }

// Load returns the snapshots of names in one round trip.
func (s *Store) Load(ctx context.Context, names []string) ([]manager.Snapshot, error) {
	s.early.Note(names...)
	answers := make([]*redis.SliceCmd, len(names))
	if _, err := s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, name := range names {
			answers[i] = p.HMGet(ctx, s.key(name), fieldRevision, fieldRecord)
		}
		return nil
	}); err != nil && !perCommand(err) {
		return nil, fmt.Errorf("redisstore: cannot load: %w", err)
	}
	snapshots := make([]manager.Snapshot, len(names))
	var bad []error
	for i, name := range names {
		err := record.CheckName(name)
		if err == nil {
			snapshots[i], err = s.decode(name, answers[i])
		}
		if err != nil {
			bad = append(bad, &manager.NameError{Name: name, Err: err})
		}
	}
	return snapshots, errors.Join(bad...)
}

// decode makes a snapshot of what is stored under name.
func (s *Store) decode(name string, answer *redis.SliceCmd) (manager.Snapshot, error) {
	fields, err := answer.Result()
	if err != nil {
		return manager.Snapshot{}, fmt.Errorf("redisstore: %w", err)
	}
	revision, _ := fields[0].(string)
	data, ok := fields[1].(string)
	if !ok && revision == "" {
		return manager.Snapshot{}, nil
	}
	snapshot, err := s.sealer.Decode(name, []byte(data))
	if err != nil {
		return manager.Snapshot{}, err
	}
	if strconv.FormatUint(snapshot.Revision, 10) != revision {
		return manager.Snapshot{}, fmt.Errorf("%w: its key says revision %s, the record %d", record.ErrDamaged, revision, snapshot.Revision)
	}
	return snapshot, nil
}

// perCommand reports whether err is the answer to one command of a pipeline, which
// has the answer too: the others are good.
func perCommand(err error) bool {
	var answer redis.Error
	return errors.As(err, &answer)
}

// Save carries out writes in one round trip, each in one call of a script.
func (s *Store) Save(ctx context.Context, writes []manager.Write) []error {
	errs := make([]error, len(writes))
	calls := make([]call, 0, len(writes))
	of := make([]int, 0, len(writes)) // whose call it is
	for i := range writes {
		w := &writes[i]
		var owner string
		if owner, errs[i] = s.keeper.Admit(w); errs[i] != nil {
			continue
		}
		news := message{saved, w.Snapshot.Revision, w.Name}
		of = append(of, i)
		calls = append(calls, call{keys: []string{s.key(w.Name), s.leaseKey(w.Name)}, args: []any{w.Expect, w.Snapshot.Revision,
			s.sealer.Append(nil, w.Name, w.Snapshot), owner, s.channel(), news.String(), rand.Text()}})
	}
	for n, answer := range save.run(ctx, s.client, calls) {
		errs[of[n]] = verdict(answer)
	}
	return errs
}

// verdict turns a save's answer into an error.
func verdict(answer *redis.Cmd) error {
	text, err := answer.Text()
	switch {
	case err != nil:
		return fmt.Errorf("redisstore: cannot save: %w", err)
	case text == "conflict":
		return manager.ErrConflict
	case text == "lease":
		return manager.ErrLeaseLost
	}
	return nil
}
