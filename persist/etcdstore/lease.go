package etcdstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"example.com/tokenactor/persist/internal/tenure"
	"example.com/tokenactor/persist/record"
)

// leases are the keys beside the records, as package tenure asks for them.
type leases struct{ *Store }

func (s leases) Take(ctx context.Context, name, owner string, life time.Duration) (taken bool, holder string, left time.Duration, err error) {
	if err := record.CheckName(name); err != nil {
		return false, "", 0, err
	}
	ctx, done, err := s.reach.call(ctx)
	if err != nil {
		return false, "", 0, fmt.Errorf("etcdstore: %w", err)
	}
	defer done()
	id, err := s.tenant.get(ctx, life)
	if err != nil {
		return false, "", 0, fmt.Errorf("etcdstore: %w", plain(ctx, err))
	}
	key := s.leaseKey(name)
	answer, err := s.client.Txn(ctx).If(clientv3.Compare(clientv3.CreateRevision(key), "=", 0)).
		Then(clientv3.OpPut(key, owner, clientv3.WithLease(id))).
		Else(clientv3.OpGet(key)).Commit()
	switch {
	case errors.Is(err, rpctypes.ErrLeaseNotFound):
		s.tenant.lost(ctx, id)
		return false, "", 0, nil // it asks again
	case err != nil:
		return false, "", 0, fmt.Errorf("etcdstore: %w", plain(ctx, err))
	case answer.Succeeded:
		return true, "", 0, nil
	}
	if kvs := answer.Responses[0].GetResponseRange().Kvs; len(kvs) > 0 {
		holder = string(kvs[0].Value)
	}
	return holder == owner, holder, life, nil
}

func (s leases) Extend(ctx context.Context, claims []tenure.Claim, life time.Duration) ([]bool, error) {
	ctx, done, err := s.reach.call(ctx)
	if err != nil {
		return nil, fmt.Errorf("etcdstore: %w", err)
	}
	defer done()
	still := make([]bool, len(claims))
	if err := s.tenant.renew(ctx); errors.Is(err, rpctypes.ErrLeaseNotFound) {
		return still, nil
	} else if err != nil {
		return nil, fmt.Errorf("etcdstore: %w", plain(ctx, err))
	}
	for begin := 0; begin < len(claims); begin += batch {
		part := claims[begin:min(begin+batch, len(claims))]
		gets := make([]clientv3.Op, len(part))
		for i, c := range part {
			gets[i] = clientv3.OpGet(s.leaseKey(c.Name))
		}
		answer, err := s.client.Txn(ctx).Then(gets...).Commit()
		if err != nil {
			return nil, fmt.Errorf("etcdstore: %w", plain(ctx, err))
		}
		for i, c := range part {
			kvs := answer.Responses[i].GetResponseRange().Kvs
			still[begin+i] = len(kvs) > 0 && string(kvs[0].Value) == c.Owner
		}
	}
	return still, nil
}

func (s leases) Free(ctx context.Context, c tenure.Claim) error {
	ctx, done, err := s.reach.call(ctx)
	if err == nil {
		defer done()
		key := s.leaseKey(c.Name)
		_, err = s.client.Txn(ctx).If(clientv3.Compare(clientv3.Value(key), "=", c.Owner)).Then(clientv3.OpDelete(key)).Commit()
		err = plain(ctx, err)
	}
	if err != nil {
		return fmt.Errorf("etcdstore: cannot give up the lease of %q: %w", c.Name, err)
	}
	return nil
}

// A session is the etcd lease on which all keys of a Store's leases lie. It lives a
// slack longer than they do, so that it need not be renewed for each.
type session struct {
	client *clientv3.Client
	reach  *reach
	slack  time.Duration

	turn    chan struct{} // holds one while etcd is asked: nobody can do without the answer
	id      clientv3.LeaseID
	renewed tenure.Instant
	closed  bool
}

func (s *session) lock(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *session) unlock() { <-s.turn }

// get returns an etcd lease that lives for life from now at least.
func (s *session) get(ctx context.Context, life time.Duration) (clientv3.LeaseID, error) {
	if err := s.lock(ctx); err != nil {
		return clientv3.NoLease, err
	}
	defer s.unlock()
	if s.closed {
		return clientv3.NoLease, fs.ErrClosed
	}
	if since := s.renewed.Since(); s.id != clientv3.NoLease && since < life+s.slack { // else it has ended
		if since < s.slack {
			return s.id, nil
		}
		err := s.prolong(ctx)
		if err == nil || !errors.Is(err, rpctypes.ErrLeaseNotFound) {
			return s.id, err
		}
	}
	asked := tenure.Now()
	seconds := (life + s.slack + time.Second - 1) / time.Second
	answer, err := s.client.Grant(ctx, int64(seconds))
	if err != nil {
		return clientv3.NoLease, err
	}
	s.id, s.renewed = answer.ID, asked
	return s.id, nil
}

// renew prolongs the etcd lease; ErrLeaseNotFound: it has ended, with all keys on it.
func (s *session) renew(ctx context.Context) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.unlock()
	if s.id == clientv3.NoLease {
		return rpctypes.ErrLeaseNotFound
	}
	return s.prolong(ctx)
}

func (s *session) prolong(ctx context.Context) error {
	asked := tenure.Now()
	_, err := s.client.KeepAliveOnce(ctx, s.id)
	switch {
	case err == nil:
		s.renewed = asked
	case errors.Is(err, rpctypes.ErrLeaseNotFound):
		s.id = clientv3.NoLease
	}
	return err
}

// lost forgets an etcd lease that has ended.
func (s *session) lost(ctx context.Context, id clientv3.LeaseID) {
	if s.lock(ctx) != nil {
		return // the next one who asks finds out
	}
	defer s.unlock()
	if s.id == id {
		s.id = clientv3.NoLease
	}
}

// end gives the etcd lease back, if there is one.
func (s *session) end() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.unlock()
	s.closed = true
	if s.id == clientv3.NoLease {
		return nil
	}
	ctx, done, err := s.reach.call(ctx)
	if err != nil {
		return err
	}
	defer done()
	_, err = s.client.Revoke(ctx, s.id)
	s.id = clientv3.NoLease
	if errors.Is(err, rpctypes.ErrLeaseNotFound) {
		return nil
	}
	return plain(ctx, err)
}
