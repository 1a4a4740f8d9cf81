package integration

import (
	"path/filepath"
	"sync"
	"testing"
	"time"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/oauth"
)

// Four processes, a hundred callers each, share one login by its file. The server
// sees one refresh a time, and never a refresh token for the second time.
func TestProcesses(t *testing.T) {
	each(t, processes, func(t *testing.T, k kind) {
		const programs = 4
		s := k.start(t, crowdLife)
		g := newGate(t, s.endpoint.TokenURL)
		g.open = true
		o := order{Path: filepath.Join(t.TempDir(), "tokens.db"), ClientID: s.app.ClientID, TokenURL: g.url, Shared: true}
		install(t, o, s.login(t, s.app, oauth.Options{}))
		began := time.Now()
		var running []*program
		for range programs {
			running = append(running, startProgram(t, o))
		}
		var group sync.WaitGroup
		var events [programs]map[manager.EventKind]int
		for i, p := range running {
			events[i] = map[manager.EventKind]int{}
			group.Go(func() {
				for r := range p.reports {
					events[i][r.Event]++
					if r.Caller != "" {
						t.Errorf("a caller got %q", r.Caller)
					}
				}
			})
		}
		time.Sleep(*crowdTime)
		for _, p := range running {
			_ = p.in.Close()
		}
		group.Wait()
		for _, p := range running {
			p.stop(t)
		}
		lasted := time.Since(began)

		refreshes, adoptions := 0, 0
		for _, e := range events {
			refreshes += e[manager.EventRefreshed]
			adoptions += e[manager.EventAdopted]
		}
		reached := g.count()
		t.Logf("%s: %d processes of %d callers, %.0f s, tokens of %v: %d refreshes, of which the server refused %d; one a life would be %d; "+
			"%d tokens of other processes taken over", k.name, programs, callers, lasted.Seconds(), crowdLife, reached, g.refusals(), lasted/crowdLife, adoptions)
		if g.refusals() > 0 || refreshes != reached {
			t.Errorf("%d refreshes reached the server, %d brought a token, %d were refused", reached, refreshes, g.refusals())
		}
		if fewest := int(lasted / (3 * crowdLife)); reached < max(fewest, 1) {
			t.Errorf("%d refreshes, want %d at least: the test shows nothing", reached, fewest)
		}

		p := startProgram(t, o)
		p.refreshed(t)
		p.stop(t)
	})
}
