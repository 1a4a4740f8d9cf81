package redisstore_test

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"example.com/tokenactor/internal/enginetest"
	"example.com/tokenactor/internal/enginetest/trouble"
	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist/redisstore"
)

func TestTrouble(t *testing.T) {
	t.Parallel()
	trouble.Run(t, trouble.Engine{Start: func(tb testing.TB) trouble.Instance {
		addr, server := enginetest.Redis(tb)
		admin := client(tb, addr)
		return trouble.Instance{
			Processes: []*enginetest.Process{server},
			Open: func(tb testing.TB, w *trouble.Wire, lease time.Duration) manager.Store {
				return through(tb, addr, w, redisstore.Options{Lease: lease})
			},
			Holder: func(tb testing.TB, name string) string {
				return admin.Get(tb.Context(), "tokenactor:{"+name+"}:lease").Val()
			},
		}
	}})
}

// through gives a store whose connections go through w.
func through(tb testing.TB, addr string, w *trouble.Wire, o redisstore.Options) *redisstore.Store {
	tb.Helper()
	c := redis.NewClient(&redis.Options{Addr: addr, Dialer: w.Dial, ContextTimeoutEnabled: true, DialerRetries: 1})
	tb.Cleanup(func() { c.Close() })
	s, err := redisstore.New(c, o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() })
	return s
}
