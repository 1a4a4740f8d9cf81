package etcdstore

import (
	"context"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"

	"example.com/tokenactor/manager"
)

// batchBytes bounds the records of one transaction: etcd refuses requests of 1.5 MB.
const batchBytes = 1 << 20

// Save carries out writes, up to a hundred in a transaction, each on its own
// conditions.
func (s *Store) Save(ctx context.Context, writes []manager.Write) []error {
	errs := make([]error, len(writes))
	ctx, done, away := s.reach.call(ctx)
	if away == nil {
		defer done()
	}
	var t transaction
	flush := func() {
		t.commit(ctx, s.client, errs)
		t = transaction{}
	}
	for i := range writes {
		w := &writes[i]
		var owner string
		if owner, errs[i] = s.keeper.Admit(w); errs[i] != nil {
			continue
		}
		if away != nil {
			errs[i] = fmt.Errorf("etcdstore: cannot save: %w", away)
			continue
		}
		data := s.sealer.Append(nil, w.Name, w.Snapshot)
		if t.full(w.Name, len(data)) {
			flush()
		}
		t.add(i, w.Name, len(data), s.put(w, owner, data))
	}
	flush()
	return errs
}

// put stores data if the key has the version that is expected, and if an owner is
// named, only while the lease is theirs. Otherwise it reads who has the lease.
func (s *Store) put(w *manager.Write, owner string, data []byte) clientv3.Op {
	conditions := []clientv3.Cmp{clientv3.Compare(clientv3.Version(s.key(w.Name)), "=", int64(w.Expect))}
	if owner == "" {
		return clientv3.OpTxn(conditions, []clientv3.Op{clientv3.OpPut(s.key(w.Name), string(data))}, nil)
	}
	held := clientv3.Compare(clientv3.Value(s.leaseKey(w.Name)), "=", owner)
	return clientv3.OpTxn(append(conditions, held), []clientv3.Op{clientv3.OpPut(s.key(w.Name), string(data))},
		[]clientv3.Op{clientv3.OpTxn([]clientv3.Cmp{held}, nil, []clientv3.Op{clientv3.OpGet(s.leaseKey(w.Name), clientv3.WithCountOnly())})})
}

// A transaction gathers writes of different names: etcd puts no key twice in one.
type transaction struct {
	ops   []clientv3.Op
	of    []int // whose op it is
	names map[string]struct{}
	bytes int
}

func (t *transaction) full(name string, size int) bool {
	_, twice := t.names[name]
	return twice || len(t.ops) == batch || len(t.ops) > 0 && t.bytes+len(name)+size > batchBytes
}

func (t *transaction) add(i int, name string, size int, op clientv3.Op) {
	if t.names == nil {
		t.names = make(map[string]struct{})
	}
	t.names[name] = struct{}{}
	t.ops, t.of = append(t.ops, op), append(t.of, i)
	t.bytes += len(name) + size
}

// commit sends the transaction, and gives each write its error.
func (t *transaction) commit(ctx context.Context, client *clientv3.Client, errs []error) {
	if len(t.ops) == 0 {
		return
	}
	answer, err := client.Txn(ctx).Then(t.ops...).Commit()
	for n, i := range t.of {
		if err != nil {
			errs[i] = fmt.Errorf("etcdstore: cannot save: %w", plain(ctx, err))
			continue
		}
		one := answer.Responses[n].GetResponseTxn()
		switch {
		case one.Succeeded:
		case len(one.Responses) > 0 && !one.Responses[0].GetResponseTxn().Succeeded:
			errs[i] = manager.ErrLeaseLost
		default:
			errs[i] = manager.ErrConflict
		}
	}
}
