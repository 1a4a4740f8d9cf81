package etcdstore_test

import (
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/goleak"

	"example.com/tokenactor/internal/enginetest"
	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist/etcdstore"
	"example.com/tokenactor/persist/persisttest"
	"example.com/tokenactor/persist/record"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// client gives a client that ends with the test.
func client(tb testing.TB, endpoints []string) *clientv3.Client {
	tb.Helper()
	c, err := clientv3.New(clientv3.Config{Endpoints: endpoints, DialTimeout: 5 * time.Second,
		DialKeepAliveTime: time.Second, DialKeepAliveTimeout: time.Second})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { c.Close() })
	return c
}

// open gives a store with a client of its own, as another process would have.
func open(tb testing.TB, endpoints []string, o etcdstore.Options) *etcdstore.Store {
	tb.Helper()
	s, err := etcdstore.New(client(tb, endpoints), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() })
	return s
}

func TestConformance(t *testing.T) {
	sealer, err := record.NewSealer(record.RandomKey())
	if err != nil {
		t.Fatal(err)
	}
	endpoints, _ := enginetest.Etcd(t, 1)
	for name, o := range map[string]etcdstore.Options{"plain": {}, "sealed": {Sealer: sealer, Prefix: "other"}} {
		t.Run(name, func(t *testing.T) {
			persisttest.Store(t, func(tb testing.TB) manager.Store {
				if _, err := client(tb, endpoints).Delete(tb.Context(), "", clientv3.WithPrefix()); err != nil {
					tb.Fatal(err)
				}
				return open(tb, endpoints, o)
			},
				persisttest.Several(func(tb testing.TB, _ manager.Store) manager.Store { return open(tb, endpoints, o) }),
				persisttest.Reopen(func(tb testing.TB, _ manager.Store) manager.Store { return open(tb, endpoints, o) }),
				persisttest.News(),
				persisttest.Leases(),
				persisttest.LosingLeases(func(tb testing.TB, _ manager.Store, name string) {
					prefix := o.Prefix
					if prefix == "" {
						prefix = "tokenactor/"
					}
					if _, err := client(tb, endpoints).Delete(tb.Context(), prefix+"lease/"+name); err != nil {
						tb.Fatal(err)
					}
				}))
		})
	}
}
