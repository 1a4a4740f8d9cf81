package manager_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/tokentest"
)

// tokenCalls gives the calls of the token endpoint.
func tokenCalls(srv *tokentest.Server) (calls []tokentest.Call) {
	for _, c := range srv.Calls() {
		if c.Kind == tokentest.KindToken {
			calls = append(calls, c)
		}
	}
	return calls
}

// expectGaps checks that they came no sooner than so long after one another.
func expectGaps(t *testing.T, srv *tokentest.Server, atLeast ...time.Duration) {
	t.Helper()
	calls := tokenCalls(srv)
	if len(calls) != len(atLeast)+1 {
		t.Fatalf("calls of the token endpoint: got %v, want %d", calls, len(atLeast)+1)
	}
	for i, least := range atLeast {
		if gap := calls[i+1].Time.Sub(calls[i].Time); gap < least {
			t.Errorf("call %d came %v after call %d, want %v or more", i+2, gap, i+1, least)
		}
	}
}

// quiet is the quiet time of the default Policy, less the lead of a deadline.
const quiet = 31*time.Second - 2*time.Millisecond

// Invariants 7, 8 and 9: the answer to a background renewal is lost. The token is
// served to its end; only then the refresh token is tried once more, and the
// verdict is final.
func TestScenario12LostAnswerInBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := server(t, tokentest.Options{})
		c := begin(t, manager.Config{Store: newShelf()}).Manage("billing", &spender{srv: srv})
		granted := enroll(srv)
		mustInstall(t, c, granted)
		srv.Next(tokentest.Lost())
		start := time.Now()
		usable := granted.ExpiresIn - 10*time.Second - 2*time.Millisecond
		for time.Since(start) < usable {
			mustToken(t, c, granted.AccessToken.Reveal())
			time.Sleep(min(time.Second, usable-time.Since(start)))
		}
		synctest.Wait()
		if calls := tokenCalls(srv); len(calls) != 2 || calls[1].Time.Sub(start) != usable {
			t.Errorf("calls of the token endpoint: got %v, want the second when the token is no longer usable", calls)
		}
		err := refusal(t, c)
		if !errors.Is(err, manager.ErrLoginRequired) || !err.Lost {
			t.Errorf("the verdict: got %v, want ErrLoginRequired and Lost", err)
		}
		if !strings.Contains(err.Error(), "log in again") {
			t.Errorf("the error does not say what to do: %v", err)
		}
		expectGaps(t, srv, quiet)
		time.Sleep(24 * time.Hour)
		if got := refusal(t, c); got != err {
			t.Errorf("a day later: got %v, want the same error", got)
		}
		expectGaps(t, srv, quiet)
		again := enroll(srv)
		mustInstall(t, c, again)
		mustToken(t, c, again.AccessToken.Reveal())
	})
}

// Invariants 4, 8 and 9: the same when callers wait. They are told at once when
// there will be another try.
func TestScenario12LostAnswerInNeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := server(t, tokentest.Options{NoReuseDetection: true})
		c := begin(t, manager.Config{Store: newShelf()}).Manage("billing", &spender{srv: srv})
		mustInstall(t, c, enroll(srv))
		rejected := mustToken(t, c, "")
		srv.Next(tokentest.Lost(), tokentest.Status(503), tokentest.HTML(502))
		start := time.Now()
		_, err := c.Renew(context.Background(), rejected)
		e, ok := errors.AsType[*manager.RefreshError](err)
		if !ok || time.Since(start) != 0 || e.RetryAt.Sub(start) < quiet {
			t.Fatalf("Renew: got %v after %v, want an error at once with RetryAt after the quiet time", err, time.Since(start))
		}
		for range 100 {
			if e = refusal(t, c); e.RetryAt.IsZero() {
				break
			}
			time.Sleep(time.Second)
		}
		if !errors.Is(e, manager.ErrLoginRequired) || !e.Lost {
			t.Errorf("the verdict: got %v, want ErrLoginRequired and Lost", e)
		}
		expectGaps(t, srv, quiet, quiet, quiet)
	})
}

// Invariants 7 and 8: what tells nothing about the refresh token costs nothing but time.
func TestScenario19EndpointInTrouble(t *testing.T) {
	for _, test := range []struct {
		name  string
		fault tokentest.Fault
		gap   time.Duration // between the calls, at least
	}{
		{"503", tokentest.Status(http.StatusServiceUnavailable), quiet},
		{"429 for 90 s", tokentest.TooMany(90 * time.Second), 90*time.Second - 2*time.Millisecond},
		{"429 for ten minutes", tokentest.TooMany(10 * time.Minute), 10*time.Minute - 2*time.Millisecond},
		{"a proxy's page", tokentest.HTML(http.StatusOK), quiet},
		{"a proxy's error page", tokentest.HTML(http.StatusBadGateway), quiet},
		{"a connection that is not made", tokentest.NotSent(), 0},
		{"an empty 400", tokentest.Status(http.StatusBadRequest), time.Minute - 2*time.Millisecond},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := server(t, tokentest.Options{})
				store := newShelf()
				c := begin(t, manager.Config{Store: store}).Manage("billing", &spender{srv: srv})
				granted := enroll(srv)
				mustInstall(t, c, granted)
				srv.Next(tokentest.Times(2, test.fault)...)
				start := time.Now()
				for time.Since(start) < 59*time.Minute {
					mustToken(t, c, "")
					time.Sleep(time.Second)
				}
				if calls := srv.Stats().TokenCalls; calls == 0 {
					t.Error("no renewal while the token was good")
				}
				time.Sleep(20 * time.Minute)
				token := mustToken(t, c, "")
				if token.Generation() != 2 {
					t.Errorf("after the trouble: got generation %d, want 2", token.Generation())
				}
				expectGaps(t, srv, test.gap, test.gap)
				expectServer(t, srv, 1)
				store.expectStored(t, "billing", token.AccessToken.Reveal(), token.RefreshToken.Reveal())
			})
		})
	}
}

// A refusal in words that are not known is told from the second answer on, asked ever more
// seldom, and never believed for good.
func TestScenario19SuspectedForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := server(t, tokentest.Options{})
		store := newShelf()
		m := launch(t, manager.Config{Store: store})
		c := m.Manage("billing", &spender{srv: srv})
		mustInstall(t, c, enroll(srv))
		srv.Always(tokentest.Status(http.StatusBadRequest))
		time.Sleep(3 * time.Hour)
		err := refusal(t, c)
		if !errors.Is(err, manager.ErrLoginSuspected) || errors.Is(err, manager.ErrLoginRequired) || err.Lost || !strings.Contains(err.Error(), "log in") {
			t.Errorf("after three hours: got %v, want ErrLoginSuspected alone", err)
		}
		if s := c.Status(); s.State != manager.StateSuspected || s.SuspectedSince.IsZero() || s.NextAttempt.IsZero() {
			t.Errorf("status: got %+v, want suspected, since when, and when it is tried again", s)
		}
		calls := tokenCalls(srv)
		for i, least := range []time.Duration{1, 2, 4, 8, 16, 32} {
			if i == 2 {
				continue // the access token expired: the attempt came sooner
			}
			if gap := calls[i+1].Time.Sub(calls[i].Time); gap < least*time.Minute-2*time.Millisecond || gap > least*time.Minute*5/4+time.Second {
				t.Errorf("attempt %d came %v after the one before, want %v minutes, and up to a quarter more", i+2, gap, int(least))
			}
		}

		// Over a restart, and for a month: never more than one a day after the first one.
		before := len(calls)
		for ; len(tokenCalls(srv)) == before; time.Sleep(time.Second) {
		}
		before++
		if err := m.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		c = begin(t, manager.Config{Store: store}).Manage("billing", &spender{srv: srv})
		if err := refusal(t, c); !errors.Is(err, manager.ErrLoginSuspected) {
			t.Errorf("after a restart: got %v, want ErrLoginSuspected", err)
		}
		if got := len(tokenCalls(srv)); got != before {
			t.Errorf("the restart sent %d requests, want none", got-before)
		}
		time.Sleep(30 * 24 * time.Hour)
		if got := len(tokenCalls(srv)) - before; got < 40 || got > 80 {
			t.Errorf("requests in a month: got %d, want about 24 on the first day, and then one a day", got)
		}

		// The server is well again: the login was never lost.
		srv.Heal()
		time.Sleep(31 * time.Hour)
		mustToken(t, c, "")
		if s := c.Status(); s.State != manager.StateFresh && s.State != manager.StateDue || !s.SuspectedSince.IsZero() {
			t.Errorf("status: got %+v, want a fresh token and no suspicion", s)
		}
		if got := srv.Stats(); got.Reuses > 0 || got.FamiliesRevoked > 0 {
			t.Errorf("at the server: got %+v, want no reuse", got)
		}
	})
}

// Invariants 1, 4 and 13: whatever a Refresher does, its attempt has an outcome.
func TestScenario29RefresherGoesWrong(t *testing.T) {
	for name, test := range map[string]struct {
		answer func() (manager.Token, error)
		want   string
		is     error
	}{
		"panic":             {func() (manager.Token, error) { panic("out of cheese") }, "out of cheese", nil},
		"panic with nil":    {func() (manager.Token, error) { panic(nil) }, "panic", nil},
		"end of goroutine":  {func() (manager.Token, error) { runtime.Goexit(); return manager.Token{}, nil }, "goroutine", nil},
		"zero token":        {func() (manager.Token, error) { return manager.Token{}, nil }, "no access token", manager.ErrNoToken},
		"life but no token": {func() (manager.Token, error) { return manager.Token{ExpiresIn: time.Hour}, nil }, "no access token", manager.ErrNoToken},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				wrong := &issuer{life: time.Hour, latency: time.Second}
				wrong.answer = func(_ context.Context, n int, _ manager.Token) (manager.Token, error) {
					if n == 1 {
						return test.answer()
					}
					return wrong.issue(n), nil
				}
				c := begin(t, manager.Config{}).Manage("billing", wrong)
				together(10, func(int) {
					_, err := c.Token(context.Background())
					if _, ok := errors.AsType[*manager.RefreshError](err); !ok || !strings.Contains(fmt.Sprint(err), test.want) ||
						test.is != nil && !errors.Is(err, test.is) {
						t.Errorf("got %v, want a *RefreshError that says %q", err, test.want)
					}
				})
				time.Sleep(time.Minute)
				mustToken(t, c, "T2")
				wrong.expectCalls(t, 2)
			})
		})
	}
}

// Invariants 1, 12 and 13: a Refresher that never returns.
func TestScenario29RefresherNeverReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		releasec := make(chan struct{})
		hung := &issuer{}
		hung.answer = func(context.Context, int, manager.Token) (manager.Token, error) {
			<-releasec
			return manager.Token{}, nil
		}
		var hangs []manager.Event
		m := launch(t, manager.Config{OnEvent: func(e manager.Event) {
			if e.Kind == manager.EventHung {
				hangs = append(hangs, e)
			}
		}})
		c, neighbour := m.Manage("billing", hung), m.Manage("search", &issuer{life: time.Hour})
		start := time.Now()
		together(10, func(int) {
			if err := refusal(t, c); !errors.Is(err, manager.ErrTimeLimit) {
				t.Errorf("got %v, want ErrTimeLimit", err)
			}
			if took := time.Since(start); took > 50*time.Second || took < 29*time.Second {
				t.Errorf("the limit answered after %v, want 30s", took)
			}
		})
		for range 3 {
			time.Sleep(time.Hour)
			if err := refusal(t, c); !errors.Is(err, manager.ErrTimeLimit) {
				t.Errorf("later: got %v, want ErrTimeLimit", err)
			}
			mustToken(t, neighbour, "")
		}
		hung.expectCalls(t, 1)
		if got := c.Status(); !got.Hung || !got.Refreshing {
			t.Errorf("status: got %+v, want Hung and Refreshing", got)
		}
		synctest.Wait()
		if len(hangs) != 1 || hangs[0].Credential != "billing" || m.Stats().Hung != 1 {
			t.Errorf("events: got %v, Stats.Hung %d, want one of billing", hangs, m.Stats().Hung)
		}
		start = time.Now()
		err := m.Close()
		named, ok := errors.AsType[*manager.NameError](err)
		if !ok || named.Name != "billing" || !errors.Is(err, manager.ErrTimeLimit) {
			t.Errorf("Close: got %v, want a NameError of billing with ErrTimeLimit", err)
		}
		if took := time.Since(start); took > 50*time.Second {
			t.Errorf("Close took %v, want 50s at most", took)
		}
		close(releasec)
	})
}

// Section 6: invalid_client is nobody's verdict on the refresh token. An operator
// mends it, and a restart with the right secret works at once.
func TestScenario34WrongSecretMended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := server(t, tokentest.Options{})
		store := newShelf()
		first := launch(t, manager.Config{Store: store})
		c := first.Manage("billing", &spender{srv, "a wrong secret"})
		mustInstall(t, c, enroll(srv))
		rejected := mustToken(t, c, "")
		_, err := c.Renew(context.Background(), rejected)
		if e, ok := errors.AsType[*manager.RefreshError](err); !ok || errors.Is(err, manager.ErrLoginRequired) || e.RetryAt.IsZero() {
			t.Errorf("Renew: got %v, want a *RefreshError that does not ask for a login", err)
		}
		for range 10 {
			refusal(t, c)
		}
		if got := srv.Stats().TokenCalls; got != 1 {
			t.Errorf("calls of the token endpoint: got %d, want 1", got)
		}
		time.Sleep(5 * time.Minute)
		refusal(t, c)
		expectGaps(t, srv, 5*time.Minute-2*time.Millisecond)
		if err := first.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}

		c = begin(t, manager.Config{Store: store}).Manage("billing", &spender{srv: srv})
		if renewed, err := c.Renew(context.Background(), rejected); err != nil || renewed.Generation() != 2 {
			t.Errorf("after the restart: got %v, %v, want generation 2 at once", renewed, err)
		}
		expectServer(t, srv, 1)
	})
}
