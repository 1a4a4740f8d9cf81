package etcdstore

import (
	"context"
	"fmt"
	"strings"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Watch tells of the writes of all processes until ctx ends. Nothing is missed: it
// begins with what came after the Store's first read, and goes on after an
// interruption where it was. Only where etcd has forgotten that by a compaction, it
// tells of all revisions.
func (s *Store) Watch(ctx context.Context, f func(name string, revision uint64)) error {
	defer s.keeper.Informed(false)
	for {
		next, err := s.begin(ctx)
		if err != nil {
			return err
		}
		err = s.follow(ctx, next, f)
		if err != rpctypes.ErrCompacted {
			return err
		}
		revision, err := s.pages(ctx, func(name string, kv *mvccpb.KeyValue) error {
			f(name, uint64(kv.Version))
			return nil
		}, clientv3.WithKeysOnly())
		if err != nil {
			return err
		}
		s.reached(revision)
	}
}

// begin gives the revision after which there may be news.
func (s *Store) begin(ctx context.Context) (int64, error) {
	s.mu.Lock()
	since := s.since
	s.mu.Unlock()
	if since > 0 {
		return since, nil
	}
	answer, err := s.client.Get(ctx, s.key(""), clientv3.WithCountOnly())
	if err != nil {
		return 0, fmt.Errorf("etcdstore: cannot listen: %w", plain(ctx, err))
	}
	return answer.Header.Revision, nil
}

// reached notes that all news up to revision was told.
func (s *Store) reached(revision int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.since = revision
}

// follow tells of what came after since, until it is interrupted.
func (s *Store) follow(ctx context.Context, since int64, f func(name string, revision uint64)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	records, leases := s.key(""), s.leaseKey("")
	news := s.client.Watch(clientv3.WithRequireLeader(ctx), s.prefix, clientv3.WithPrefix(),
		clientv3.WithCreatedNotify(), clientv3.WithRev(since+1))
	for answer := range news {
		if err := answer.Err(); err != nil {
			if answer.CompactRevision > 0 {
				return rpctypes.ErrCompacted
			}
			return fmt.Errorf("etcdstore: %w", plain(ctx, err))
		}
		s.keeper.Informed(true)
		for _, e := range answer.Events {
			key := string(e.Kv.Key)
			if name, ok := strings.CutPrefix(key, records); ok && e.Type == mvccpb.PUT {
				f(name, uint64(e.Kv.Version))
			} else if name, ok := strings.CutPrefix(key, leases); ok && e.Type == mvccpb.DELETE {
				s.keeper.Freed(name)
			}
		}
		if n := len(answer.Events); n > 0 { // its header is of a later moment, and more may come from before that
			s.reached(answer.Events[n-1].Kv.ModRevision)
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return fmt.Errorf("etcdstore: the news broke off")
}
