package etcdstore_test

import (
	"context"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc"

	"example.com/tokenactor/internal/enginetest"
	"example.com/tokenactor/internal/enginetest/trouble"
	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist/etcdstore"
)

func TestTrouble(t *testing.T) {
	t.Parallel()
	trouble.Run(t, trouble.Engine{Start: func(tb testing.TB) trouble.Instance {
		return instance(tb, 1)
	}})
}

func instance(tb testing.TB, nodes int) trouble.Instance {
	endpoints, servers := enginetest.Etcd(tb, nodes)
	admin := client(tb, endpoints)
	return trouble.Instance{
		Processes: servers,
		Open: func(tb testing.TB, w *trouble.Wire, lease time.Duration) manager.Store {
			return through(tb, endpoints, w, etcdstore.Options{Lease: lease})
		},
		Holder: func(tb testing.TB, name string) string {
			answer, err := admin.Get(tb.Context(), "tokenactor/lease/"+name)
			if err != nil {
				tb.Fatal(err)
			}
			if len(answer.Kvs) == 0 {
				return ""
			}
			return string(answer.Kvs[0].Value)
		},
	}
}

// through gives a store whose connections go through w, which counts calls, and each
// renewal of the etcd lease as one.
func through(tb testing.TB, endpoints []string, w *trouble.Wire, o etcdstore.Options, dial ...grpc.DialOption) *etcdstore.Store {
	tb.Helper()
	c, err := clientv3.New(clientv3.Config{Endpoints: endpoints, DialTimeout: 5 * time.Second,
		DialKeepAliveTime: time.Second, DialKeepAliveTimeout: time.Second,
		DialOptions: append(dial, grpc.WithContextDialer(w.DialUncounted),
			grpc.WithChainUnaryInterceptor(func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, o ...grpc.CallOption) error {
				w.Trip()
				return invoke(ctx, method, req, reply, cc, o...)
			}),
			grpc.WithChainStreamInterceptor(func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, stream grpc.Streamer, o ...grpc.CallOption) (grpc.ClientStream, error) {
				if strings.Contains(method, "KeepAlive") {
					w.Trip()
				}
				return stream(ctx, desc, cc, method, o...)
			}))})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { c.Close() })
	s, err := etcdstore.New(c, o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() })
	return s
}
