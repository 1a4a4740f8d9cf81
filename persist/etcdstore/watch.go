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
// interruption where it was. Where that is not known it tells of all revisions: after a
// compaction, and where several Watches were under way at once, for nobody can say
// which of them one that begins goes on from.
func (s *Store) Watch(ctx context.Context, f func(name string, revision uint64)) error {
	since, known := s.enter()
	defer s.leave()
	if known && since == 0 { // nothing was read yet
		answer, err := s.client.Get(ctx, s.key(""), clientv3.WithCountOnly())
		if err != nil {
			return fmt.Errorf("etcdstore: cannot listen: %w", plain(ctx, err))
		}
		since = answer.Header.Revision
	}
	for {
		if !known {
			var err error
			if since, err = s.pages(ctx, func(name string, kv *mvccpb.KeyValue) error {
				f(name, uint64(kv.Version))
				return nil
			}, clientv3.WithKeysOnly()); err != nil {
				return err
			}
			s.reached(since)
		}
		if err := s.follow(ctx, since, f); err != rpctypes.ErrCompacted {
			return err
		}
		known = false
	}
}

// enter returns the revision after which a Watch that begins may have news; 0: there was
// no read. known: no other Watch has moved it.
func (s *Store) enter() (since int64, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watching++
	s.shared = s.shared || s.watching > 1
	return s.since, !s.shared
}

// leave is a Watch that ends. Without any, nobody hears of leases that are free.
func (s *Store) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watching--; s.watching == 0 {
		s.keeper.Informed(false)
	}
}

// reached notes that all news up to revision was told.
func (s *Store) reached(revision int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.since = revision // of no use where several move it
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
