package integration

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"example.com/tokenactor/manager"
)

// A keeper is a Manager of a test, and what it told of.
type keeper struct {
	*manager.Manager
	mu     sync.Mutex
	events []manager.Event
	newsc  chan struct{} // holds one: there are events since the last look
}

// newKeeper makes a Manager that is closed with the test. A nil store is memory.
func newKeeper(t testing.TB, config manager.Config) *keeper {
	t.Helper()
	k := &keeper{newsc: make(chan struct{}, 1)}
	config.OnEvent = func(e manager.Event) {
		k.mu.Lock()
		k.events = append(k.events, e)
		k.mu.Unlock()
		select {
		case k.newsc <- struct{}{}:
		default:
		}
	}
	m, err := manager.New(config)
	if err != nil {
		t.Fatal(err)
	}
	k.Manager = m
	t.Cleanup(func() {
		if err := m.Close(); err != nil && !errors.Is(err, manager.ErrClosed) {
			t.Errorf("Close: %v", err)
		}
	})
	return k
}

// wait gives the first event of that kind, from the number from on, once it is there.
func (k *keeper) wait(t testing.TB, from int, kind manager.EventKind) manager.Event {
	t.Helper()
	deadline := time.After(limit)
	for {
		k.mu.Lock()
		i := slices.IndexFunc(k.events[from:], func(e manager.Event) bool { return e.Kind == kind })
		var found manager.Event
		if i >= 0 {
			found = k.events[from+i]
		}
		k.mu.Unlock()
		if i >= 0 {
			return found
		}
		select {
		case <-k.newsc:
		case <-deadline:
			t.Fatalf("no event %q", kind)
		}
	}
}

// count is the number of events so far.
func (k *keeper) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.events)
}
