package manager_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/tokentest"
)

// crash logs in, renews, and kills the process while it saves the answer. It
// returns the token that was rejected.
func crash(t *testing.T, srv *tokentest.Server, store *shelf) *manager.Token {
	t.Helper()
	p := run(t, store, nil, manager.Config{})
	p.freeze = func(w manager.Write) bool { return w.Snapshot.Generation == 2 }
	c := p.Manage("billing", &spender{srv: srv})
	mustInstall(t, c, enroll(srv))
	rejected := mustToken(t, c, "")
	go func() { _, _ = c.Renew(context.Background(), rejected) }()
	<-p.frozenc
	p.kill()
	if got := store.get("billing"); got.Mark.IsZero() || got.Generation != 1 {
		t.Fatalf("stored at the crash: got generation %d, mark %+v, want 1 and a mark", got.Generation, got.Mark)
	}
	return rejected
}

// Invariants 8 and 9: killed between the server's answer and our write, with a
// server that detects reuse. The mark says so: quiet time, one guarded try, a verdict.
func TestScenario10KilledBeforeTheWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := server(t, tokentest.Options{})
		store := newShelf()
		rejected := crash(t, srv, store)
		for range 2 { // the second restart finds the verdict
			p := run(t, store, nil, manager.Config{})
			c := p.Manage("billing", &spender{srv: srv})
			_, err := c.Renew(context.Background(), rejected)
			if !errors.Is(err, manager.ErrLoginRequired) {
				if e, ok := errors.AsType[*manager.RefreshError](err); !ok || !errors.Is(err, manager.ErrQuietTime) || time.Until(e.RetryAt) < quiet {
					t.Errorf("after the restart: got %v, want ErrQuietTime and RetryAt", err)
				}
				time.Sleep(quiet - time.Second)
				if got := srv.Stats().TokenCalls; got != 1 {
					t.Errorf("calls in the quiet time: got %d, want none but the first", got)
				}
				time.Sleep(2 * time.Second)
			}
			if e := refusal(t, c); !errors.Is(e, manager.ErrLoginRequired) || !e.Lost {
				t.Errorf("the verdict: got %v, want ErrLoginRequired and Lost", e)
			}
			expectGaps(t, srv, quiet)
			if err := p.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}
	})
}

// The same with a server that does not rotate: the guarded try mends it all.
func TestScenario10KilledBeforeTheWriteUnrotated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := server(t, tokentest.Options{NoRotation: true})
		store := newShelf()
		rejected := crash(t, srv, store)
		c := run(t, store, nil, manager.Config{Policy: manager.Policy{Patience: -1}}).Manage("billing", &spender{srv: srv})
		start := time.Now()
		renewed, err := c.Renew(context.Background(), rejected)
		if err != nil || renewed.Generation() != 2 {
			t.Fatalf("Renew: got %v, %v, want generation 2", renewed, err)
		}
		if took := time.Since(start); took < quiet || took > quiet+time.Second {
			t.Errorf("the guarded try came after %v, want the quiet time", took)
		}
		store.expectStored(t, "billing", renewed.AccessToken.Reveal(), renewed.RefreshToken.Reveal())
		expectServer(t, srv, 2)
	})
}

// Invariant 8: killed after the write. The new token is there.
func TestScenario10KilledAfterTheWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := server(t, tokentest.Options{})
		store := newShelf()
		p := run(t, store, nil, manager.Config{})
		c := p.Manage("billing", &spender{srv: srv})
		mustInstall(t, c, enroll(srv))
		renewed, err := c.Renew(context.Background(), mustToken(t, c, ""))
		if err != nil {
			t.Fatal(err)
		}
		p.kill()
		c = run(t, store, nil, manager.Config{}).Manage("billing", &spender{srv: srv})
		mustToken(t, c, renewed.AccessToken.Reveal())
		time.Sleep(time.Hour)
		mustToken(t, c, "")
		expectServer(t, srv, 2)
	})
}

// Invariants 8 and 9: a restart while the first request is still at the server.
func TestScenario31RestartDuringRefresh(t *testing.T) {
	for name, test := range map[string]struct {
		fault tokentest.Fault
		lives bool
	}{
		"the server gives up on who has left": {tokentest.Hang(nil), true},
		"the server works on":                 {tokentest.Slow(20 * time.Second), false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := server(t, tokentest.Options{})
				store := newShelf()
				p := run(t, store, nil, manager.Config{})
				c := p.Manage("billing", &spender{srv: srv})
				mustInstall(t, c, enroll(srv))
				rejected := mustToken(t, c, "")
				srv.Next(test.fault)
				go func() { _, _ = c.Renew(context.Background(), rejected) }()
				time.Sleep(time.Second)
				p.kill()

				c = run(t, store, nil, manager.Config{}).Manage("billing", &spender{srv: srv})
				var renewed *manager.Token
				err := errors.New("not asked yet")
				for range 40 {
					if renewed, err = c.Renew(context.Background(), rejected); err == nil || errors.Is(err, manager.ErrLoginRequired) {
						break
					}
					time.Sleep(time.Second)
				}
				expectGaps(t, srv, quiet+time.Second)
				if !test.lives {
					if e, ok := errors.AsType[*manager.RefreshError](err); !ok || !e.Lost {
						t.Errorf("the answer went to the killed process: got %v, want a RefreshError with Lost", err)
					}
					return
				}
				if err != nil || renewed.Generation() != 2 {
					t.Errorf("Renew: got %v, %v, want generation 2", renewed, err)
				}
				expectServer(t, srv, 1)
			})
		})
	}
}

// Invariants 1, 8 and 9: our own time-out while the request is still at the server.
func TestScenario31OwnTimeOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := server(t, tokentest.Options{})
		c := begin(t, manager.Config{Store: newShelf(), Policy: manager.Policy{Limit: 5 * time.Second}}).Manage("billing", &spender{srv: srv})
		mustInstall(t, c, enroll(srv))
		rejected := mustToken(t, c, "")
		srv.Next(tokentest.Hang(nil))
		_, err := c.Renew(context.Background(), rejected)
		if !errors.Is(err, manager.ErrTimeLimit) {
			t.Errorf("Renew: got %v, want ErrTimeLimit", err)
		}
		for range 10 {
			if _, err = c.Token(context.Background()); err == nil {
				break
			}
			time.Sleep(time.Second)
		}
		if err != nil {
			t.Errorf("ten seconds later: %v", err)
		}
		expectGaps(t, srv, 6*time.Second-2*time.Millisecond)
		expectServer(t, srv, 1)
	})
}

// Invariants 1 and 2: an answer that comes after the time limit is still the only
// copy of the new refresh token, and is used.
func TestScenario31AnswerAfterTheLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newShelf()
		deaf := &issuer{life: time.Hour, rotate: true}
		deaf.answer = func(_ context.Context, n int, _ manager.Token) (manager.Token, error) {
			time.Sleep(2 * time.Minute)
			return deaf.issue(n), nil
		}
		c := begin(t, manager.Config{Store: store}).Manage("billing", deaf)
		mustInstall(t, c, login("A", "R", time.Hour))
		if _, err := c.Renew(context.Background(), mustToken(t, c, "A")); !errors.Is(err, manager.ErrTimeLimit) {
			t.Errorf("Renew: got %v, want ErrTimeLimit", err)
		}
		time.Sleep(2 * time.Minute)
		mustToken(t, c, "T1")
		store.expectStored(t, "billing", "T1", "R1")
		deaf.expectCalls(t, 1)
	})
}
