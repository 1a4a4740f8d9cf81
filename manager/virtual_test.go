package manager_test

import (
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/tokentest"
)

// Invariants 1, 6, 7 and 9 through a week with the heartbeat, at a server that
// detects reuse. There is a usable token at any time, and nobody ever waits.
func TestVirtualWeek(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := server(t, tokentest.Options{Latency: 300 * time.Millisecond})
		store := newShelf()
		c := begin(t, manager.Config{Store: store}).Manage("billing", &spender{srv: srv})
		mustInstall(t, c, enroll(srv))
		for start := time.Now(); time.Since(start) < 7*24*time.Hour; time.Sleep(time.Minute + time.Second) {
			before := time.Now()
			token := mustToken(t, c, "")
			if time.Now() != before || time.Until(token.Expiry) <= 10*time.Second-2*time.Millisecond {
				t.Fatalf("at %v: a token that expires at %v after %v", before, token.Expiry, time.Since(before))
			}
		}
		renewals := srv.Stats().TokenCalls
		if renewals < 182 || renewals > 186 {
			t.Errorf("renewals in a week: got %d, want one each 55m less the jitter", renewals)
		}
		expectServer(t, srv, renewals)
		if got := c.Status(); got.Generation != uint64(renewals)+1 || got.Unsaved || !got.Mark.IsZero() || got.Err != nil {
			t.Errorf("status: got %+v, want generation %d and nothing open", got, renewals+1)
		}
	})
}

// Invariants 1, 6 and 7 through a year with a renewal an hour, without the heartbeat.
func TestVirtualYear(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hourly := &issuer{life: 65 * time.Minute, latency: 300 * time.Millisecond, rotate: true}
		store := newShelf()
		c := begin(t, manager.Config{Store: store, Heartbeat: -1, Policy: manager.Policy{Jitter: -1}}).Manage("billing", hourly)
		mustInstall(t, c, login("A", "R", time.Hour))
		for start := time.Now(); time.Since(start) < year; time.Sleep(29 * time.Minute) {
			before := time.Now()
			if token := mustToken(t, c, ""); time.Now() != before || time.Until(token.Expiry) < 5*time.Minute-time.Second {
				t.Fatalf("at %v: a token that expires at %v after %v", before, token.Expiry, time.Since(before))
			}
		}
		hourly.expectCalls(t, 24*365)
		spent := make(map[string]bool)
		for i, call := range hourly.book() {
			if spent[call.prev] {
				t.Fatalf("refresh %d spent %q again", i+1, call.prev)
			}
			spent[call.prev] = true
		}
	})
}
