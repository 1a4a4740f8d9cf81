package etcdstore

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist/record"
)

// page is how many records are asked for at once.
const page = 1000

// Scan calls f with every snapshot in the order of the names, all as of one moment,
// unless etcd is compacted meanwhile, which is an error.
func (s *Store) Scan(ctx context.Context, f func(name string, snapshot manager.Snapshot) error) error {
	var bad []error
	_, err := s.pages(ctx, func(name string, kv *mvccpb.KeyValue) error {
		snapshot, err := s.decode(name, kv)
		if err != nil {
			bad = append(bad, &manager.NameError{Name: name, Err: err})
			return nil
		}
		return f(name, snapshot)
	})
	if len(bad) == 0 {
		return err // as it is: f's caller may compare it
	}
	return errors.Join(append(bad, err)...)
}

// decode makes a snapshot of what is stored under name.
func (s *Store) decode(name string, kv *mvccpb.KeyValue) (manager.Snapshot, error) {
	snapshot, err := s.sealer.Decode(name, kv.Value)
	if err == nil && snapshot.Revision != uint64(kv.Version) {
		err = fmt.Errorf("%w: it was written %d times, its record says %d: somebody else wrote to the key",
			record.ErrDamaged, kv.Version, snapshot.Revision)
	}
	if err != nil {
		return manager.Snapshot{}, err
	}
	return snapshot, nil
}

// pages calls f with all records as of one moment, and returns etcd's revision then.
func (s *Store) pages(ctx context.Context, f func(name string, kv *mvccpb.KeyValue) error, options ...clientv3.OpOption) (revision int64, err error) {
	key, end := s.key(""), clientv3.GetPrefixRangeEnd(s.key(""))
	for {
		if err := ctx.Err(); err != nil {
			return revision, err
		}
		answer, err := s.client.Get(ctx, key, append(options, clientv3.WithRange(end), clientv3.WithLimit(page),
			clientv3.WithRev(revision), clientv3.WithSort(clientv3.SortByKey, clientv3.SortAscend))...)
		if err != nil {
			return revision, fmt.Errorf("etcdstore: cannot scan: %w", plain(ctx, err))
		}
		if revision == 0 {
			revision = answer.Header.Revision
			s.read(revision)
		}
		for _, kv := range answer.Kvs {
			if err := ctx.Err(); err != nil {
				return revision, err
			}
			if err := f(strings.TrimPrefix(string(kv.Key), s.key("")), kv); err != nil {
				return revision, err
			}
		}
		if !answer.More {
			return revision, nil
		}
		key = string(answer.Kvs[len(answer.Kvs)-1].Key) + "\x00"
	}
}
