package postgresstore_test

import (
	"slices"
	"testing"
	"time"

	"example.com/tokenactor/internal/enginetest"
	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist/postgresstore"
)

// A refresh costs five round trips to the server: lease, load, mark, answer, unlock.
// A read of a usable token costs none.
func TestRoundTrips(t *testing.T) {
	url, _ := enginetest.Postgres(t)
	admin := connect(t, url)
	var w wire
	server := &issuer{life: time.Hour}
	c := manage(t, open(t, connect(t, url, w.through), postgresstore.Options{})).Manage("a", server)
	if err := c.Install(t.Context(), server.login()); err != nil {
		t.Fatal(err)
	}
	token, err := c.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var costs []int64
	for range 30 {
		for leaseOf(t, admin, "a") != "" {
			time.Sleep(time.Millisecond) // it is given up in the background
		}
		before := w.trips.Load()
		if token, err = c.Renew(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		c.Replayed(token, true)
		for leaseOf(t, admin, "a") != "" {
			time.Sleep(time.Millisecond)
		}
		costs = append(costs, w.trips.Load()-before)
	}
	slices.Sort(costs)
	t.Logf("round trips of %d refreshes, sorted: %v", len(costs), costs)
	// Some are more: each connection has to learn each statement, and the first that
	// is used after a second of rest is tested by the pool.
	if got := costs[len(costs)/2]; got != 5 {
		t.Errorf("a refresh costs %d round trips, want 5", got)
	}
	before := w.trips.Load()
	for range 10_000 {
		if _, err := c.Token(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.trips.Load() - before; got > 1 { // one may be the listener's test of its connection
		t.Errorf("10,000 reads cost %d round trips", got)
	}
}

// How long after a peer began to write its token is adopted. The figures are logged;
// that it is adopted at all, without a refresh, is what is tested.
func TestAdoption(t *testing.T) {
	const writes = 300
	url, _ := enginetest.Postgres(t)
	peer := open(t, connect(t, url), postgresstore.Options{})
	adoptedc := make(chan uint64, writes)
	m := manage(t, open(t, connect(t, url), postgresstore.Options{}), func(c *manager.Config) {
		c.OnEvent = func(e manager.Event) {
			if e.Kind == manager.EventAdopted {
				adoptedc <- e.Generation
			}
		}
	})
	mustSave(t, peer, write("a", 0, "first"))
	if _, err := m.Manage("a", nil).Token(t.Context()); err != nil {
		t.Fatal(err)
	}
	var took []time.Duration
	for revision := uint64(1); revision <= writes; revision++ {
		begun := time.Now()
		mustSave(t, peer, write("a", revision, "next"))
		for generation := uint64(0); generation <= revision; {
			select {
			case generation = <-adoptedc:
			case <-time.After(patience):
				t.Fatalf("generation %d was not adopted in %v", revision+1, patience)
			}
		}
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	t.Logf("from the write to its adoption, %d times: median %v, p99 %v, longest %v", writes, took[writes/2], took[writes*99/100], took[writes-1])
}
