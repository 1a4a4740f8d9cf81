package persisttest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"example.com/tokenactor/manager"
)

// news is what a store must do that tells of the writes of others.
var news = []check{
	{"news", newsOfOthers},
	{"news of a batch", newsOfBatch},
	{"news ends with its context", newsEnds},
}

// patience is how long the suite waits for what must happen, and moment how long
// for what must not.
var patience = 30 * time.Second

const moment = 100 * time.Millisecond

// A listener gathers the news that a handle tells of.
type listener struct {
	mu    sync.Mutex
	last  map[string]uint64 // the greatest revision told of each name
	wakec chan struct{}
	endc  chan error // what Watch returned
}

// listen watches on store until the test ends or stop is called.
func listen(tb testing.TB, store manager.Store) (l *listener, stop context.CancelFunc) {
	watcher, ok := store.(manager.Watcher)
	if !ok {
		tb.Fatalf("%T is no manager.Watcher", store)
	}
	ctx, cancel := context.WithCancel(tb.Context())
	l = &listener{last: make(map[string]uint64), wakec: make(chan struct{}, 1), endc: make(chan error, 1)}
	go func() {
		l.endc <- watcher.Watch(ctx, func(name string, revision uint64) {
			l.mu.Lock()
			l.last[name] = max(l.last[name], revision)
			l.mu.Unlock()
			select {
			case l.wakec <- struct{}{}:
			default:
			}
		})
	}()
	return l, cancel
}

func (l *listener) told(name string, revision uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last[name] >= revision
}

// wait waits until each of want was told of.
func (l *listener) wait(tb testing.TB, want map[string]uint64) {
	tb.Helper()
	deadline := time.After(patience)
	for name, revision := range want {
		for !l.told(name, revision) {
			select {
			case <-l.wakec:
			case err := <-l.endc:
				tb.Fatalf("Watch ended before it told of revision %d of %q: %v", revision, name, err)
			case <-deadline:
				tb.Fatalf("Watch did not tell of revision %d of %q in %v", revision, name, patience)
			}
		}
	}
}

// begun waits until the watch tells of what another handle writes: to listen takes a
// moment to begin, and what is written before then is no news.
func (l *listener) begun(tb testing.TB, other manager.Store) {
	tb.Helper()
	for revision := range uint64(patience / moment) {
		mustSave(tb, other, write("begun", revision, token("begun")))
		select {
		case <-l.wakec:
			return
		case <-time.After(moment):
		}
	}
	tb.Fatalf("Watch told of nothing in %v", patience)
}

// end stops the watch and waits for it.
func (l *listener) end(tb testing.TB, stop context.CancelFunc) {
	tb.Helper()
	stop()
	select {
	case <-l.endc:
	case <-time.After(patience):
		tb.Fatalf("Watch did not end with its context in %v", patience)
	}
}

// Watch tells of each name that another handle writes, and again when it is
// written again.
func newsOfOthers(tb testing.TB, s *suite) {
	all := s.handles(tb, 2)
	l, stop := listen(tb, all[0])
	defer l.end(tb, stop)
	l.begun(tb, all[1])
	mustSave(tb, all[1], write("a", 0, token("1")))
	l.wait(tb, map[string]uint64{"a": 1})
	mustSave(tb, all[1], write("a", 1, token("2")), write("b\x00\xff", 0, token("b")))
	l.wait(tb, map[string]uint64{"a": 2, "b\x00\xff": 1})
	mustSave(tb, all[1], write("a", 2, manager.Snapshot{Login: 2})) // a tombstone is news
	l.wait(tb, map[string]uint64{"a": 3})
}

// No name of a big batch is left out, whatever its place.
func newsOfBatch(tb testing.TB, s *suite) {
	const n = 20_000
	all := s.handles(tb, 2)
	l, stop := listen(tb, all[0])
	defer l.end(tb, stop)
	l.begun(tb, all[1])
	writes, want := make([]manager.Write, n), make(map[string]uint64, n)
	for i := range writes {
		writes[i] = write(fmt.Sprint("name ", i), 0, token("batch"))
		want[writes[i].Name] = 1
	}
	mustSave(tb, all[1], writes...)
	l.wait(tb, want)
}

// Watch lasts as long as its context, and no longer.
func newsEnds(tb testing.TB, s *suite) {
	l, stop := listen(tb, s.open(tb))
	select {
	case err := <-l.endc:
		tb.Fatalf("Watch ended before its context: %v", err)
	case <-time.After(moment):
	}
	stop()
	select {
	case err := <-l.endc:
		if !errors.Is(err, context.Canceled) {
			tb.Errorf("Watch ended with %v, want the error of its context", err)
		}
	case <-time.After(patience):
		tb.Errorf("Watch did not end with its context in %v", patience)
	}
}
