package redisstore_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"example.com/tokenactor/internal/enginetest"
	"example.com/tokenactor/internal/enginetest/trouble"
	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist/redisstore"
)

// patience is how long the tests wait for what must happen.
const patience = time.Minute

func write(name string, expect uint64, token string) manager.Write {
	return manager.Write{Name: name, Expect: expect, Snapshot: manager.Snapshot{Login: 1, Generation: expect + 1, Revision: expect + 1,
		Token: manager.Token{AccessToken: manager.NewSecret(token)}}}
}

func mustSave(tb testing.TB, s manager.Store, w manager.Write) {
	tb.Helper()
	if err := s.Save(tb.Context(), []manager.Write{w})[0]; err != nil {
		tb.Fatal(err)
	}
}

// A deaf connection loses one answer, and breaks.
type deaf struct {
	net.Conn
	lose *atomic.Bool
}

func (d deaf) Read(b []byte) (int, error) {
	n, err := d.Conn.Read(b)
	if n > 0 && d.lose.Swap(false) {
		d.Conn.Close()
		return 0, io.EOF
	}
	return n, err
}

// The client sends again what got no answer. The write that was carried out at first is
// no conflict with itself, and one of somebody else is.
func TestSaveSentTwice(t *testing.T) {
	t.Parallel()
	addr, _ := enginetest.Redis(t)
	var lose atomic.Bool
	c := redis.NewClient(&redis.Options{Addr: addr, Dialer: func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		return deaf{conn, &lose}, err
	}})
	t.Cleanup(func() { c.Close() })
	s, err := redisstore.New(c, redisstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	mustSave(t, s, write("a", 0, "first")) // which teaches the script
	lose.Store(true)
	if err := s.Save(t.Context(), []manager.Write{write("a", 1, "second")})[0]; err != nil || lose.Load() {
		t.Errorf("a write whose answer was lost, sent again: %v", err)
	}
	if err := s.Save(t.Context(), []manager.Write{write("a", 1, "second")})[0]; !errors.Is(err, manager.ErrConflict) {
		t.Errorf("another write of the same: %v, want ErrConflict", err)
	}
}

// News that was missed while the connection was cut is told when it is back, and Watch
// ends with its context though no news comes.
func TestNewsMissed(t *testing.T) {
	t.Parallel()
	addr, _ := enginetest.Redis(t)
	var w trouble.Wire
	s, other := through(t, addr, &w, redisstore.Options{}), open(t, addr, redisstore.Options{})
	if _, err := s.Load(t.Context(), []string{"a"}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	toldc, endc := make(chan uint64, 100), make(chan error, 1)
	go func() { endc <- s.Watch(ctx, func(_ string, revision uint64) { toldc <- revision }) }()
	told := func(revision uint64) {
		t.Helper()
		for {
			select {
			case got := <-toldc:
				if got == revision {
					return
				}
			case <-time.After(patience):
				t.Fatalf("revision %d was not told", revision)
			}
		}
	}
	mustSave(t, other, write("a", 0, "first"))
	told(1)
	w.Cut()
	mustSave(t, other, write("a", 1, "missed"))
	w.Mend()
	told(2)
	mustSave(t, other, write("a", 2, "third"))
	told(3)
	cancel()
	select {
	case err := <-endc:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Watch: %v", err)
		}
	case <-time.After(3 * time.Second): // a silent connection is looked at after 5 s
		t.Error("Watch outlives its context")
		<-endc
	}
}

// Redis may forget the scripts at any time.
func TestScriptsForgotten(t *testing.T) {
	t.Parallel()
	addr, _ := enginetest.Redis(t)
	s := open(t, addr, redisstore.Options{})
	for revision := range uint64(3) {
		mustSave(t, s, write("a", revision, "token"))
		if err := client(t, addr).ScriptFlush(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		l, err := s.Locker().Lock(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Unlock(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// What is no record of ours is the error of its name, and spoils no other.
func TestForeignKey(t *testing.T) {
	t.Parallel()
	addr, _ := enginetest.Redis(t)
	s := open(t, addr, redisstore.Options{})
	mustSave(t, s, write("good", 0, "token"))
	if err := client(t, addr).Set(t.Context(), "tokenactor:{bad}", "text", 0).Err(); err != nil {
		t.Fatal(err)
	}
	check := func(what string, err error) {
		t.Helper()
		var e *manager.NameError
		if !errors.As(err, &e) || e.Name != "bad" || !strings.Contains(err.Error(), "redisstore: WRONGTYPE") {
			t.Errorf("%s: %v, want a NameError of it", what, err)
		}
	}
	snapshots, err := s.Load(t.Context(), []string{"bad", "good"})
	check("Load", err)
	if snapshots[1].Revision != 1 {
		t.Error("the good record was not loaded")
	}
	seen := 0
	check("Scan", s.Scan(t.Context(), func(string, manager.Snapshot) error { seen++; return nil }))
	if seen != 1 {
		t.Errorf("Scan told of %d records, want 1", seen)
	}
	errs := s.Save(t.Context(), []manager.Write{write("bad", 0, "x"), write("good", 1, "x")})
	if errs[0] == nil || !strings.HasPrefix(errs[0].Error(), "redisstore: ") || errs[1] != nil {
		t.Errorf("Save: %v", errs)
	}
}

// Clients whose reads may be of another time, or of another server, are refused.
func TestUnsuitableClients(t *testing.T) {
	ring := redis.NewRing(&redis.RingOptions{Addrs: map[string]string{"a": "127.0.0.1:1"}})
	defer ring.Close()
	replicas := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{"127.0.0.1:1"}, RouteByLatency: true})
	defer replicas.Close()
	for _, c := range []redis.UniversalClient{ring, replicas} {
		if s, err := redisstore.New(c, redisstore.Options{}); err == nil {
			s.Close()
			t.Errorf("New with a %T is no error", c)
		}
	}
}
