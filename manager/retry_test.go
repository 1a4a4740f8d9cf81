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

// A function that signs in refuses a wrong password. Once the password is mended, Retry asks
// again; after a restart the next caller does.
func TestRetryAfterAWrongPassword(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, password := newShelf(), "wrong"
		signIn := &issuer{life: time.Hour}
		signIn.answer = func(_ context.Context, n int, _ manager.Token) (manager.Token, error) {
			if password != "right" {
				return manager.Token{}, manager.LoginRequired(errors.New("wrong password"))
			}
			return signIn.issue(n), nil
		}
		m := launch(t, manager.Config{Store: store})
		c := m.Manage("tenant", signIn)
		for range 10 {
			if err := refusal(t, c); !errors.Is(err, manager.ErrLoginRequired) {
				t.Errorf("the wrong password: got %v, want ErrLoginRequired", err)
			}
			time.Sleep(time.Hour)
		}
		signIn.expectCalls(t, 1) // an account is locked after a few
		if _, err := c.Retry(t.Context()); !errors.Is(err, manager.ErrLoginRequired) {
			t.Errorf("Retry with the wrong password: got %v, want ErrLoginRequired", err)
		}
		time.Sleep(time.Minute)
		password = "right"
		if token, err := c.Retry(t.Context()); err != nil || token.AccessToken.Reveal() != "T3" {
			t.Errorf("Retry with the right password: got %v, %v, want T3", token, err)
		}
		mustToken(t, c, "T3")

		// After a logout only a login, or asking again on purpose, gives tokens.
		if err := c.Forget(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := refusal(t, c); !errors.Is(err, manager.ErrLoginRequired) {
			t.Errorf("after Forget: got %v, want ErrLoginRequired", err)
		}
		time.Sleep(time.Minute)
		if token, err := c.Retry(t.Context()); err != nil || token.Login() != 2 {
			t.Errorf("Retry after a logout: got %v, %v, want a token of the second login", token, err)
		}
		_ = m.Close()

		password = "wrong"
		store = newShelf()
		m = launch(t, manager.Config{Store: store})
		refusal(t, m.Manage("tenant", signIn))
		_ = m.Close()
		password = "right"
		mustToken(t, begin(t, manager.Config{Store: store}).Manage("tenant", signIn), "T6")
	})
}

// Invariants 1 and 4: a thousand callers of Retry, and those of Token among them, make one
// attempt and get its outcome.
func TestRetryIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &issuer{life: time.Hour, latency: time.Second, rotate: true}
		c := begin(t, manager.Config{Store: newShelf()}).Manage("billing", slow)
		mustInstall(t, c, login("A", "R", time.Hour))
		together(1000, func(i int) {
			if i%2 == 0 {
				if token, err := c.Retry(context.Background()); err != nil || token.AccessToken.Reveal() != "T1" {
					t.Errorf("Retry: got %v, %v, want T1", token, err)
				}
				return
			}
			mustToken(t, c, "A") // it is good, and stays until its successor is there
		})
		slow.expectCalls(t, 1)
		if got := c.Status(); got.State != manager.StateFresh {
			t.Errorf("status: got %+v, want fresh", got)
		}
	})
}

// In a loop it sends once in each back-off, whether it succeeds or fails.
func TestRetryInALoop(t *testing.T) {
	for name, answer := range map[string]error{
		"success": nil, "trouble": manager.Answered(errors.New("503")), "refusal": manager.LoginRequired(errors.New("invalid_grant")),
		"configuration": manager.Permanent(errors.New("invalid_client")), "unknown words": manager.LoginSuspected(errors.New("400")),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				loop := &issuer{life: time.Hour, rotate: true, latency: 100 * time.Millisecond}
				loop.answer = func(_ context.Context, n int, _ manager.Token) (manager.Token, error) {
					return loop.issue(n), answer
				}
				c := begin(t, manager.Config{Store: newShelf()}).Manage("billing", loop)
				mustInstall(t, c, login("A", "R", time.Hour))
				for start := time.Now(); time.Since(start) < 2*time.Minute; time.Sleep(10 * time.Millisecond) {
					if _, err := c.Retry(context.Background()); (err == nil) != (answer == nil) {
						t.Fatalf("Retry after %v: got error %v, want %v", time.Since(start), err, answer)
					}
				}
				most := 9 // after 1, 2, 4 … seconds
				if answer == nil {
					most = 111 // after a second
				}
				if got := len(loop.book()); got < 3 || got > most {
					t.Errorf("requests in two minutes: got %d, want 3 to %d", got, most)
				}
				loop.expectCalls(t, len(loop.book()))
			})
		})
	}
}

// Retry overrides our own back-off, and never the quiet time or Retry-After.
func TestRetryIsNoForce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := server(t, tokentest.Options{})
		c := begin(t, manager.Config{Store: newShelf()}).Manage("billing", &spender{srv: srv})
		mustInstall(t, c, enroll(srv))

		srv.Next(tokentest.TooMany(5 * time.Minute))
		for range 3 {
			if _, err := c.Retry(t.Context()); err == nil {
				t.Error("429: Retry returned a token")
			}
			time.Sleep(time.Minute)
		}
		if got := srv.Stats().TokenCalls; got != 1 {
			t.Errorf("requests before Retry-After is over: got %d, want 1", got)
		}
		time.Sleep(5 * time.Minute)

		srv.Next(tokentest.Lost())
		if _, err := c.Retry(t.Context()); err == nil {
			t.Error("a lost answer: Retry returned a token")
		}
		for range 10 {
			time.Sleep(2 * time.Second)
			if e, ok := errors.AsType[*manager.RefreshError](func() error { _, err := c.Retry(t.Context()); return err }()); !ok || !e.RetryAt.After(time.Now()) {
				t.Errorf("in the quiet time: got %v, want an error that says when", e)
			}
		}
		if got := srv.Stats().TokenCalls; got != 2 {
			t.Errorf("requests in the quiet time: got %d more, want none", got-2)
		}
	})
}

// Without a Refresher Retry looks into the store, and says what it is.
func TestRetryOfAReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newShelf()
		owner := begin(t, manager.Config{Store: store}).Manage("billing", &issuer{life: time.Hour})
		reader := begin(t, manager.Config{Store: store}).Manage("billing", nil)
		if _, err := reader.Retry(t.Context()); !errors.Is(err, manager.ErrNoRefresher) {
			t.Errorf("Retry: got %v, want ErrNoRefresher", err)
		}
		mustToken(t, owner, "T1")
		synctest.Wait() // it is shown first and stored after
		if token, err := reader.Retry(t.Context()); err != nil || token.AccessToken.Reveal() != "T1" {
			t.Errorf("Retry: got %v, %v, want T1", token, err)
		}
	})
}

// A caller's context ends its wait, and a closed manager says so.
func TestRetryEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &issuer{life: time.Hour, latency: time.Minute}
		m := launch(t, manager.Config{Policy: manager.Policy{Limit: 5 * time.Minute}})
		c := m.Manage("billing", slow)
		if _, err := c.Retry(within(t, time.Second)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Retry: got %v, want the end of its context", err)
		}
		time.Sleep(2 * time.Minute)
		mustToken(t, c, "T1")
		_ = m.Close()
		if _, err := c.Retry(t.Context()); !errors.Is(err, manager.ErrClosed) {
			t.Errorf("Retry: got %v, want ErrClosed", err)
		}
	})
}
