package manager_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenactor/manager"
)

const year = 365 * 24 * time.Hour

// Invariants 6 and 7 and section 6: whatever a server says of a token's life,
// there is one refresh per life and never a loop.
func TestScenario22OddLives(t *testing.T) {
	for _, test := range []struct {
		name     string
		tokens   []manager.Token // the answers in turn, the last for ever
		policy   manager.Policy
		latency  time.Duration
		run      time.Duration
		min, max int  // refreshes in run
		fails    bool // there is never a token
	}{
		{name: "unknown", tokens: []manager.Token{{}}, run: year, min: 1, max: 1},
		{name: "unknown after an hour", tokens: []manager.Token{{ExpiresIn: time.Hour}, {}}, run: 10 * time.Hour, min: 11, max: 12},
		{name: "ten years", tokens: []manager.Token{{ExpiresIn: 10 * year}}, run: year, min: 1, max: 1},
		{name: "the longest of all", tokens: []manager.Token{{ExpiresIn: 1<<63 - 1}}, run: year, min: 1, max: 1},
		{name: "thirty seconds", tokens: []manager.Token{{ExpiresIn: 30 * time.Second}}, run: 10 * time.Minute, min: 26, max: 28},
		{name: "one second", tokens: []manager.Token{{ExpiresIn: time.Second}}, run: time.Minute, min: 70, max: 85},
		{name: "two hours, ask after one", tokens: []manager.Token{{ExpiresIn: 2 * time.Hour, RefreshIn: time.Hour}}, run: 10 * time.Hour, min: 10, max: 12},
		{name: "no renewal in the background", tokens: []manager.Token{{ExpiresIn: time.Hour}}, policy: manager.Policy{Window: -1}, run: 10 * time.Hour, min: 11, max: 11},
		{name: "negative", tokens: []manager.Token{{ExpiresIn: -time.Second}}, run: time.Hour, min: 60, max: 400, fails: true},
		{name: "expired on arrival", tokens: []manager.Token{{Expiry: time.Unix(1_000_000, 0)}}, run: time.Hour, min: 60, max: 400, fails: true},
		{name: "shorter than its refresh", tokens: []manager.Token{{ExpiresIn: 3 * time.Second}}, latency: 4 * time.Second, run: time.Hour, min: 50, max: 300, fails: true},
		{name: "a nanosecond", tokens: []manager.Token{{ExpiresIn: 1}}, run: time.Hour, min: 60, max: 400, fails: true},
		{name: "a nanosecond, with a refresh token", tokens: []manager.Token{{ExpiresIn: 1, RefreshToken: manager.NewSecret("R")}}, run: time.Hour, min: 60, max: 400, fails: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				odd := &issuer{latency: test.latency}
				odd.answer = func(_ context.Context, n int, _ manager.Token) (manager.Token, error) {
					token := test.tokens[min(n, len(test.tokens))-1]
					token.AccessToken = odd.issue(n).AccessToken
					return token, nil
				}
				c := begin(t, manager.Config{Policy: test.policy, Heartbeat: -1}).Manage("billing", odd)
				step := min(test.run/1000, time.Second)
				for start := time.Now(); time.Since(start) < test.run; time.Sleep(step) {
					_, err := c.Token(context.Background())
					if test.fails && !errors.Is(err, manager.ErrBornExpired) || !test.fails && err != nil {
						t.Fatalf("Token: got error %v, want ErrBornExpired: %v", err, test.fails)
					}
					if test.run == year {
						step = 12 * time.Hour
					}
				}
				if got := len(odd.book()); got < test.min || got > test.max {
					t.Errorf("refreshes in %v: got %d, want %d to %d", test.run, got, test.min, test.max)
				}
				odd.expectCalls(t, len(odd.book()))
			})
		})
	}
}

// Section 6: the last life known holds where an answer says nothing, also after a restart.
func TestScenario22LifeKnownFromBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newShelf()
		silent := &issuer{}
		m := launch(t, manager.Config{Store: store})
		mustInstall(t, m.Manage("billing", silent), login("A", "", time.Hour))
		if err := m.Close(); err != nil {
			t.Fatalf("Close: %v", err)
		}
		c := begin(t, manager.Config{Store: store}).Manage("billing", silent)
		mustToken(t, c, "A")
		time.Sleep(90 * time.Minute)
		token := mustToken(t, c, "T1")
		if left := time.Until(token.Expiry); left <= 0 || left > time.Hour || token.ExpiresIn != time.Hour {
			t.Errorf("life of an answer that names none: got %v, %v left, want an hour from its refresh", token.ExpiresIn, left)
		}
	})
}

// Section 6: the life counts from the sending, not from the answer.
func TestScenario22LifeCountsFromTheSending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &issuer{life: time.Hour, latency: 20 * time.Second}
		c := begin(t, manager.Config{}).Manage("billing", slow)
		sent := time.Now()
		if token := mustToken(t, c, "T1"); !token.Expiry.Equal(sent.Add(time.Hour)) {
			t.Errorf("expiry: got %v, want an hour after the sending, %v", token.Expiry, sent.Add(time.Hour))
		}
	})
}
