package postgresstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"example.com/tokenactor/internal/enginetest"
	"example.com/tokenactor/internal/enginetest/trouble"
	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist/postgresstore"
)

// patience is how long the tests wait for what must happen, on a busy machine.
const patience = time.Minute

// watch watches until the test ends.
func watch(tb testing.TB, s manager.Watcher, f func(name string, revision uint64)) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	endc := make(chan error, 1)
	go func() { endc <- s.Watch(ctx, f) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-endc; !errors.Is(err, context.Canceled) {
			tb.Errorf("Watch ended with %v", err)
		}
	})
}

// listening waits until a watch tells of what is written: to listen takes a moment.
func listening(tb testing.TB, other manager.Store, newsc <-chan string) {
	tb.Helper()
	for revision := range uint64(600) {
		mustSave(tb, other, write("begun", revision, "begun"))
		select {
		case <-newsc:
			return
		case <-time.After(patience / 600):
		}
	}
	tb.Fatalf("Watch told of nothing in %v", patience)
}

// When its connection is cut, a watch makes another and tells of what it missed; and
// while it is there, a pool of one connection serves, and can be closed.
func TestConnectionCut(t *testing.T) {
	url, _ := enginetest.Postgres(t)
	var w trouble.Wire
	pool := connect(t, url, through(&w))
	one, two := open(t, pool, postgresstore.Options{}), open(t, connect(t, url), postgresstore.Options{})
	newsc := make(chan string, 1000)
	watch(t, one, func(name string, revision uint64) { newsc <- fmt.Sprint(revision, name) })
	listening(t, two, newsc)
	for round := range 3 {
		name := fmt.Sprint("missed ", round)
		if _, err := one.Load(t.Context(), []string{name}); err != nil {
			t.Fatal(err)
		}
		w.Cut()
		mustSave(t, two, write(name, 0, "first"))
		w.Mend()
		for got, deadline := "", time.After(patience); got != "1"+name; {
			select {
			case got = <-newsc:
			case <-deadline:
				t.Fatalf("no news of what was written while the connection was cut, in %v", patience)
			}
		}
		mustSave(t, one, write(name, 1, "second")) // on a connection that may have been cut
	}
}

// What was loaded before the watch began, and written before it, is told of.
func TestNewsBeforeWatch(t *testing.T) {
	url, _ := enginetest.Postgres(t)
	one, two := open(t, connect(t, url), postgresstore.Options{}), open(t, connect(t, url), postgresstore.Options{})
	if _, err := one.Load(t.Context(), []string{"a"}); err != nil {
		t.Fatal(err)
	}
	mustSave(t, two, write("a", 0, "first"), write("b", 0, "not asked for"))
	newsc := make(chan string, 10)
	watch(t, one, func(name string, revision uint64) { newsc <- fmt.Sprint(revision, name) })
	select {
	case got := <-newsc:
		if got != "1a" {
			t.Errorf("first news: %q, want that of revision 1 of a", got)
		}
	case <-time.After(patience):
		t.Fatal("no news of what was written before the watch")
	}
}

// Behind a pooler that shares connections LISTEN hears nothing, and Watch says so.
func TestDeaf(t *testing.T) {
	url, _ := enginetest.Postgres(t)
	s := open(t, connect(t, url, deaf), postgresstore.Options{})
	if err := s.Watch(t.Context(), func(string, uint64) {}); err == nil || !strings.Contains(err.Error(), "pooler") {
		t.Errorf("Watch: %v, want an error that names a pooler", err)
	}
}
