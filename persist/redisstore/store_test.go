package redisstore_test

import (
	"testing"

	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"example.com/tokenactor/internal/enginetest"
	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist/persisttest"
	"example.com/tokenactor/persist/record"
	"example.com/tokenactor/persist/redisstore"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// client gives a client that ends with the test.
func client(tb testing.TB, addr string) *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: addr})
	tb.Cleanup(func() { c.Close() })
	return c
}

// open gives a store with a client of its own, as another process would have.
func open(tb testing.TB, addr string, o redisstore.Options) *redisstore.Store {
	tb.Helper()
	s, err := redisstore.New(client(tb, addr), o)
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
	for name, o := range map[string]redisstore.Options{"plain": {}, "sealed": {Sealer: sealer, Prefix: "a*[b]?:"}} {
		t.Run(name, func(t *testing.T) {
			addr, _ := enginetest.Redis(t)
			persisttest.Store(t, func(tb testing.TB) manager.Store {
				if err := client(tb, addr).FlushDB(tb.Context()).Err(); err != nil {
					tb.Fatal(err)
				}
				return open(tb, addr, o)
			},
				persisttest.Several(func(tb testing.TB, _ manager.Store) manager.Store { return open(tb, addr, o) }),
				persisttest.Reopen(func(tb testing.TB, _ manager.Store) manager.Store { return open(tb, addr, o) }),
				persisttest.News(),
				persisttest.Leases(),
				persisttest.LosingLeases(func(tb testing.TB, _ manager.Store, name string) {
					c := client(tb, addr)
					for _, key := range c.Keys(tb.Context(), "*:lease").Val() {
						c.Del(tb.Context(), key)
					}
				}))
		})
	}
}
