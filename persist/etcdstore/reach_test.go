package etcdstore_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"

	"example.com/tokenactor/internal/enginetest"
	"example.com/tokenactor/internal/enginetest/trouble"
	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist/etcdstore"
)

// Calls wait through a short absence of etcd. When it lasts they end with an error that
// says so, those that were begun before too, and go on when it is over. Close does not
// wait for it.
func TestReach(t *testing.T) {
	t.Parallel()
	endpoints, _ := enginetest.Etcd(t, 1)
	var w trouble.Wire
	often := grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{BaseDelay: 20 * time.Millisecond, Multiplier: 1, MaxDelay: 20 * time.Millisecond}})
	s, closing := through(t, endpoints, &w, etcdstore.Options{}, often), through(t, endpoints, &w, etcdstore.Options{}, often)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	load := func(ctx context.Context) error {
		_, err := s.Load(ctx, []string{"a"})
		return err
	}
	if err := load(ctx); err != nil {
		t.Fatal(err)
	}
	l, err := closing.Locker().Lock(ctx, "b")
	if err != nil {
		t.Fatal(err)
	}

	// cut lets no call pass, and waits until the client has noticed and holds them back.
	cut := func() {
		t.Helper()
		w.Cut()
		for {
			short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
			err := load(short)
			cancel()
			if errors.Is(err, context.DeadlineExceeded) {
				return
			}
			if ctx.Err() != nil {
				t.Fatalf("Load when the wire is cut: %v", err)
			}
		}
	}

	cut()
	shortc := make(chan error, 1)
	go func() { shortc <- load(ctx) }()
	w.Mend()
	if err := <-shortc; err != nil {
		t.Errorf("Load while etcd is away for a moment: %v", err)
	}

	cut()
	away := func(what string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), "etcd is away") || !strings.Contains(err.Error(), endpoints[0]) ||
			errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s while etcd is away: %v", what, err)
		}
	}
	away("Load, begun before this was known,", load(ctx))
	away("Load", load(ctx))
	away("Save", s.Save(ctx, []manager.Write{write("a", 0)})[0])
	_, err = s.Locker().Lock(ctx, "a")
	away("Lock", err)
	if err := s.Save(ctx, []manager.Write{{Name: "a", Expect: 1}})[0]; err == nil || strings.Contains(err.Error(), "away") {
		t.Errorf("Save of what may never be saved, while etcd is away: %v", err)
	}
	away("Close", closing.Close())
	select {
	case <-l.Lost():
	default:
		t.Error("a lease is held after Close")
	}

	w.Mend()
	for err := load(ctx); err != nil; err = load(ctx) {
		away("Load", err)
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			t.Fatal("etcd is back, and calls say that it is away")
		}
	}
	if err := s.Save(ctx, []manager.Write{write("a", 0)})[0]; err != nil {
		t.Error(err)
	}
}
