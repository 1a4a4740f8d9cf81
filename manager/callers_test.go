package manager_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenactor/manager"
)

var errEndpoint = errors.New("the token endpoint answered 400")

// Invariants 1 and 4: one refresh, and its error is everybody's.
func TestScenario01OneErrorForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failing := &issuer{latency: 20 * time.Millisecond,
			answer: func(context.Context, int, manager.Token) (manager.Token, error) { return manager.Token{}, errEndpoint }}
		c := begin(t, manager.Config{}).Manage("billing", failing)
		start := time.Now()
		errs := make([]error, 100)
		together(len(errs), func(i int) { _, errs[i] = c.Token(context.Background()) })
		if took := time.Since(start); took != failing.latency {
			t.Errorf("100 callers waited %v, want %v", took, failing.latency)
		}
		failing.expectCalls(t, 1)
		first, ok := errors.AsType[*manager.RefreshError](errs[0])
		if !ok || !errors.Is(first, errEndpoint) || first.RetryAt.IsZero() {
			t.Fatalf("error: got %v, want a *RefreshError of %v with RetryAt", errs[0], errEndpoint)
		}
		for i, err := range errs {
			if err != error(first) {
				t.Errorf("error of caller %d: got %v, want the same as all, %v", i, err, first)
			}
		}
		if late := refusal(t, c); late != first {
			t.Errorf("error during back-off: got %v, want %v at once", late, first)
		}
		failing.expectCalls(t, 1)
	})
}

// Invariants 2 and 3: a waiter's context ends its wait and nothing else.
func TestScenario02ImpatientWaiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &issuer{life: time.Hour, latency: 400 * time.Millisecond}
		c := begin(t, manager.Config{}).Manage("billing", slow)
		start := time.Now()
		_, err := c.Token(within(t, 30*time.Millisecond))
		if took := time.Since(start); err != context.DeadlineExceeded || took != 30*time.Millisecond {
			t.Errorf("Token with 30 ms: got %v after %v, want %v after 30ms", err, took, context.DeadlineExceeded)
		}
		mustToken(t, c, "T1")
		if took := time.Since(start); took != slow.latency {
			t.Errorf("the next caller got the token after %v, want %v: the refresh goes on", took, slow.latency)
		}
		slow.expectCalls(t, 1)
	})
}

// Invariants 1, 2 and 3: the refresh belongs to nobody.
func TestScenario03FirstCallerCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &issuer{life: time.Hour, latency: 400 * time.Millisecond}
		c := begin(t, manager.Config{}).Manage("billing", slow)
		ctx, cancel := context.WithCancel(context.Background())
		firstc := make(chan error, 1)
		go func() {
			_, err := c.Token(ctx)
			firstc <- err
		}()
		synctest.Wait()
		go func() {
			time.Sleep(100 * time.Millisecond)
			cancel()
		}()
		together(10, func(int) { mustToken(t, c, "T1") })
		if err := <-firstc; err != context.Canceled {
			t.Errorf("the cancelled caller: got %v, want %v", err, context.Canceled)
		}
		slow.expectCalls(t, 1)
	})
}

// Invariant 2: no caller's context reaches a refresh, neither its end nor its values.
func TestScenario04ContextOfTheBeginning(t *testing.T) {
	type key struct{}
	synctest.Test(t, func(t *testing.T) {
		login := &issuer{life: time.Hour}
		login.answer = func(ctx context.Context, n int, _ manager.Token) (manager.Token, error) {
			if ctx.Err() != nil || ctx.Value(key{}) != nil {
				t.Errorf("context of refresh %d: error %v, value %v, want none of a caller's", n, ctx.Err(), ctx.Value(key{}))
			}
			return login.issue(n), nil
		}
		c := begin(t, manager.Config{}).Manage("billing", login)
		ctx, cancel := context.WithCancel(context.WithValue(context.Background(), key{}, "of a caller"))
		if _, err := c.Token(ctx); err != nil {
			t.Fatal(err)
		}
		cancel()
		time.Sleep(3 * time.Hour)
		mustToken(t, c, "T4")
		login.expectCalls(t, 4)
		if _, err := c.Renew(ctx, mustToken(t, c, "")); err != context.Canceled {
			t.Errorf("Renew with the ended context: got %v, want %v", err, context.Canceled)
		}
	})
}

// Invariant 5: a rejection names its token.
func TestScenario05LateRejection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		login := &issuer{life: time.Hour, latency: 50 * time.Millisecond}
		c := begin(t, manager.Config{}).Manage("billing", login)
		rejected := mustToken(t, c, "T1")
		copied := *rejected
		for _, late := range []*manager.Token{rejected, rejected, &copied} {
			renewed, err := c.Renew(context.Background(), late)
			if err != nil || renewed.AccessToken.Reveal() != "T2" {
				t.Fatalf("Renew(T1): got %v, %v, want T2", renewed, err)
			}
			login.expectCalls(t, 2)
			time.Sleep(time.Second)
		}
		if got, err := c.Renew(context.Background(), nil); err != nil || got != mustToken(t, c, "T2") {
			t.Errorf("Renew(nil): got %v, %v, want what Token gives", got, err)
		}
	})
}

// Invariants 1, 4 and 5, seen from 50 requests in flight.
func TestScenario06FiftyRejections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		login := &issuer{life: time.Hour, latency: 50 * time.Millisecond}
		c := begin(t, manager.Config{}).Manage("billing", login)
		rejected := mustToken(t, c, "T1")
		together(50, func(i int) {
			time.Sleep(time.Duration(i) * 2 * time.Millisecond) // half of them after the refresh
			renewed, err := c.Renew(context.Background(), rejected)
			if err != nil || renewed.AccessToken.Reveal() != "T2" {
				t.Errorf("request %d: got %v, %v, want T2", i, renewed, err)
			}
		})
		login.expectCalls(t, 2)
	})
}

// Invariants 7 and 13: a refresh that hangs takes nothing from readers.
func TestScenario07EarlyRefreshHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hanging := &issuer{life: time.Hour}
		hanging.answer = func(_ context.Context, n int, _ manager.Token) (manager.Token, error) {
			if n == 2 {
				time.Sleep(10 * time.Second)
			}
			return hanging.issue(n), nil
		}
		other := &issuer{life: 20 * time.Minute}
		m := begin(t, manager.Config{})
		c, neighbour := m.Manage("billing", hanging), m.Manage("search", other)
		mustToken(t, c, "T1")
		for len(hanging.book()) < 2 {
			time.Sleep(time.Second)
		}
		start := time.Now()
		for time.Since(start) < 5*time.Second {
			before := time.Now()
			mustToken(t, c, "T1")
			mustToken(t, neighbour, "")
			if waited := time.Since(before); waited != 0 {
				t.Errorf("reads waited %v for the refresh of a good token", waited)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if _, err := neighbour.Renew(context.Background(), mustToken(t, neighbour, "")); err != nil || time.Since(start) > 6*time.Second {
			t.Errorf("Renew of the neighbour: error %v after %v", err, time.Since(start))
		}
		time.Sleep(6 * time.Second)
		mustToken(t, c, "T2")
		hanging.expectCalls(t, 2)
	})
}

// Invariant 1 for a login that asks for its own token: it is told at once that it
// cannot wait for itself.
func TestScenario09LoginThroughItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c, other *manager.Credential
		self := &issuer{life: time.Hour}
		self.answer = func(ctx context.Context, n int, _ manager.Token) (manager.Token, error) {
			if !c.Refreshing(ctx) || other.Refreshing(ctx) {
				t.Errorf("Refreshing: got %v for itself, %v for another, want true, false", c.Refreshing(ctx), other.Refreshing(ctx))
			}
			if _, err := other.Token(ctx); err != nil {
				t.Errorf("the token of another credential: %v", err)
			}
			if n == 1 {
				_, err := c.Token(ctx)
				return manager.Token{}, err
			}
			return self.issue(n), nil
		}
		m := begin(t, manager.Config{})
		c, other = m.Manage("billing", self), m.Manage("search", &issuer{life: time.Hour})
		start := time.Now()
		err := refusal(t, c)
		if took := time.Since(start); took != 0 || errors.Is(err, manager.ErrTimeLimit) {
			t.Errorf("a login through itself: got %v after %v, want an error at once", err, took)
		}
		self.expectCalls(t, 1)
		time.Sleep(time.Until(err.RetryAt))
		rejected := mustToken(t, c, "T2")
		if _, err := c.Renew(context.Background(), rejected); err != nil {
			t.Errorf("Renew: %v", err)
		}
	})
}

// Invariants 1 and 5, at the size of a crawler.
func TestTenThousandRejections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		login := &issuer{life: time.Hour, latency: 50 * time.Millisecond}
		c := begin(t, manager.Config{}).Manage("billing", login)
		rejected := mustToken(t, c, "T1")
		renew := func(i int) {
			renewed, err := c.Renew(context.Background(), rejected)
			if err != nil || renewed.AccessToken.Reveal() != "T2" {
				t.Errorf("caller %d: got %v, %v, want T2", i, renewed, err)
			}
		}
		together(10_000, renew)
		login.expectCalls(t, 2)
		together(1_000, renew)
		login.expectCalls(t, 2)
	})
}
