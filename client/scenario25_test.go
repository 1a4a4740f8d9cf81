package client_test

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenactor/client"
	"example.com/tokenactor/manager"
	"example.com/tokenactor/tokentest"
)

// One endpoint among a thousand says invalid_token for ever, and is asked a
// hundred times a second: that costs a few refreshes, the good ones never see a
// 401, and a token that is then revoked indeed is renewed.
func TestScenario25OneBadEndpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := tokentest.New(tokentest.Options{Latency: time.Millisecond, APILatency: time.Millisecond})
		defer func() { _ = srv.Close() }()
		srv.RefuseAPI(tokentest.InvalidToken, "/bad")
		m, err := manager.New(manager.Config{Logger: quiet})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := m.Close(); err != nil {
				t.Error(err)
			}
		}()
		api := &http.Client{Transport: &client.Transport{Source: m.Manage("api", clientCredentials(srv)), Base: srv.Transport()}}

		const requests = 1000
		var good atomic.Int32
		var workers sync.WaitGroup
		for range 10 {
			workers.Go(func() {
				for range requests {
					time.Sleep(10 * time.Millisecond)
					if get(t, api, srv.APIURL()+"/good") == http.StatusOK {
						good.Add(1)
					}
				}
			})
		}
		workers.Go(func() {
			for range requests {
				time.Sleep(10 * time.Millisecond)
				if got := get(t, api, srv.APIURL()+"/bad"); got != http.StatusUnauthorized {
					t.Errorf("the bad endpoint gave %d, want its 401", got)
				}
			}
		})
		workers.Wait()
		stats := srv.Stats()
		if good.Load() != 10*requests {
			t.Errorf("%d of %d good requests succeeded", good.Load(), 10*requests)
		}
		if stats.TokenCalls < 2 || stats.TokenCalls > 10 {
			t.Errorf("%d refreshes for %d requests to the bad endpoint, want a few", stats.TokenCalls, requests)
		}
		if sends := stats.Unauthorized - requests; sends > stats.TokenCalls {
			t.Errorf("%d replays to the bad endpoint with %d refreshes, want one for each at most", sends, stats.TokenCalls)
		}

		time.Sleep(2 * time.Minute)
		srv.RevokeAccess()
		if got := get(t, api, srv.APIURL()+"/good"); got != http.StatusOK {
			t.Errorf("after a real revocation: got %d, want 200", got)
		}
	})
}
