//go:build unix

package trouble

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"example.com/tokenactor/manager"
)

// A refresh costs five round trips to the engine: lease, load, mark, answer, unlock.
// A read of a usable token costs none.
func roundTrips(t *testing.T, e Engine) {
	engine := e.Start(t)
	var w Wire
	server := &issuer{life: hour}
	c := manage(t, engine.Open(t, &w, longLease)).Manage("a", server)
	if err := c.Install(t.Context(), server.login("a")); err != nil {
		t.Fatal(err)
	}
	token, err := c.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	free := func() bool { return engine.Holder(t, "a") == "" }
	var costs []int64
	for range 30 {
		until(t, "the lease was given up", free) // in the background
		before := w.trips.Load()
		if token, err = c.Renew(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		c.Replayed(token, true)
		until(t, "the lease was given up", free)
		time.Sleep(5 * time.Millisecond) // so that its answer has come
		costs = append(costs, w.trips.Load()-before)
	}
	slices.Sort(costs)
	t.Logf("round trips of %d refreshes, sorted: %v", len(costs), costs)
	// Some are more: new connections have to be made, and watched.
	if got := costs[len(costs)/2]; got != 5 {
		t.Errorf("a refresh costs %d round trips, want 5", got)
	}
	before := w.trips.Load()
	for range 10_000 {
		if _, err := c.Token(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.trips.Load() - before; got > 1 { // one may be a test of the connection for news
		t.Errorf("10,000 reads cost %d round trips", got)
	}
}

// How long after a peer began to write its token is adopted. The figures are logged;
// that it is adopted at all, without a refresh, is what is tested.
func adoption(t *testing.T, e Engine) {
	const writes = 400
	engine := e.Start(t)
	peer := engine.Open(t, new(Wire), longLease)
	adoptedc := make(chan uint64, writes)
	m := manage(t, engine.Open(t, new(Wire), longLease), func(c *manager.Config) {
		c.OnEvent = func(e manager.Event) {
			if e.Kind == manager.EventAdopted {
				adoptedc <- e.Generation
			}
		}
	})
	write := func(revision uint64) {
		token := manager.Token{AccessToken: manager.NewSecret(fmt.Sprint("A", revision))}
		w := manager.Write{Name: "a", Expect: revision - 1, Snapshot: manager.Snapshot{Token: token, Login: 1, Generation: revision, Revision: revision}}
		if err := peer.Save(t.Context(), []manager.Write{w})[0]; err != nil {
			t.Fatal(err)
		}
	}
	write(1)
	if _, err := m.Manage("a", nil).Token(t.Context()); err != nil {
		t.Fatal(err)
	}
	var took []time.Duration
	for revision := uint64(2); revision <= writes+1; revision++ {
		begun := time.Now()
		write(revision)
		for generation := uint64(0); generation < revision; {
			select {
			case generation = <-adoptedc:
			case <-time.After(patience):
				t.Fatalf("generation %d was not adopted in %v", revision, patience)
			}
		}
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	t.Logf("from the write to its adoption, %d times: median %v, p99 %v, longest %v", writes, took[writes/2], took[writes*99/100], took[writes-1])
}

// One login, many processes, tokens that are rejected again and again: each refresh
// token is spent once, and all get each new token.
func oneRefreshInAll(t *testing.T, e Engine) {
	const rounds = 10
	engine := e.Start(t)
	server := &issuer{life: hour}
	var all []*manager.Credential
	for range 4 {
		all = append(all, manage(t, engine.Open(t, new(Wire), longLease)).Manage("a", server))
	}
	if err := all[0].Install(t.Context(), server.login("a")); err != nil {
		t.Fatal(err)
	}
	ctx := wait(t)
	rejected := make([]*manager.Token, len(all))
	for round := range rounds {
		var wg sync.WaitGroup
		for i, c := range all {
			wg.Go(func() {
				token, err := c.Renew(ctx, rejected[i])
				if err != nil {
					t.Errorf("round %d: Renew: %v", round, err)
					return
				}
				c.Replayed(token, true)
				rejected[i] = token
			})
		}
		wg.Wait()
		if t.Failed() {
			return
		}
	}
	server.check(t, rounds)
}
