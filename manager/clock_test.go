package manager

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// clocks are a wall clock and a monotonic one that the test moves apart: what they
// show is the bubble's time and so much more.
type clocks struct{ wall, monotonic atomic.Int64 }

// watched is a credential of a manager that reads its time from clocks.
func watched(t *testing.T, config Config, r Refresher) (*Credential, *clocks) {
	t.Helper()
	config.Logger = slog.New(slog.DiscardHandler)
	m, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	begin, c := time.Now(), &clocks{}
	m.actor.now = func() (wall, monotonic int64) { // read by the loop after the first message
		now := time.Now()
		return now.UnixNano() + c.wall.Load(), int64(now.Sub(begin)) + c.monotonic.Load()
	}
	return m.Manage("billing", r), c
}

// counted is a Refresher of T1, T2, …, each good for life.
func counted(life, latency time.Duration) (Refresher, *atomic.Int64) {
	var calls atomic.Int64
	return RefresherFunc(func(context.Context, string, Token) (Token, error) {
		n := calls.Add(1)
		if n > 1 {
			time.Sleep(latency)
		}
		return Token{AccessToken: NewSecret(fmt.Sprint("T", n)), ExpiresIn: life}, nil
	}), &calls
}

// Invariant 6: within a second of waking the old token is withdrawn and a refresh
// runs, whether or not the monotonic clock stopped while the machine slept.
func TestScenario20MachineSleeps(t *testing.T) {
	for name, counts := range map[string]bool{"monotonic clock stops": false, "monotonic clock counts": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, calls := counted(time.Hour, 10*time.Second)
				c, clocks := watched(t, Config{}, r)
				ctx := context.Background()
				if _, err := c.Token(ctx); err != nil {
					t.Fatal(err)
				}
				time.Sleep(20 * time.Minute)
				clocks.wall.Add(int64(time.Hour))
				if counts {
					clocks.monotonic.Add(int64(time.Hour))
				}
				time.Sleep(time.Second)
				synctest.Wait()
				if shown := c.published.Load(); shown != nil || calls.Load() != 2 {
					t.Errorf("a second after waking: got %v shown and %d refreshes, want none and 2", shown, calls.Load())
				}
				token, err := c.Token(ctx)
				if err != nil || token.AccessToken.Reveal() != "T2" {
					t.Fatalf("Token: got %v, %v, want T2", token, err)
				}
				if want := time.Now().Add(2*time.Hour - 10*time.Second); token.Expiry.Sub(want).Abs() > 2*time.Second {
					t.Errorf("expiry by the wall clock: got %v, want %v", token.Expiry, want)
				}
				time.Sleep(54 * time.Minute)
				if calls.Load() != 2 {
					t.Errorf("refreshes later: got %d, want 2", calls.Load())
				}
			})
		})
	}
}

// Section 4: a short sleep in the middle of a life moves its renewal, no more.
func TestScenario20ShortSleeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, calls := counted(time.Hour, 0)
		c, clocks := watched(t, Config{}, r)
		if _, err := c.Token(context.Background()); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			time.Sleep(time.Minute)
			clocks.wall.Add(int64(9 * time.Minute))
		}
		time.Sleep(4*time.Minute - time.Second)
		if calls.Load() != 1 {
			t.Errorf("refreshes before the window: got %d, want 1", calls.Load())
		}
		time.Sleep(time.Minute + 2*time.Second)
		if calls.Load() != 2 {
			t.Errorf("refreshes when 55 minutes have passed, 45 of them asleep: got %d, want 2", calls.Load())
		}
	})
}

// Invariant 6 and section 4, machine time: what a wall clock that is wrong or jumps
// costs in ten hours. Undisturbed it is 11 refreshes.
func TestScenario21ClockJumps(t *testing.T) {
	for _, test := range []struct {
		name     string
		jump     func(hour int) time.Duration
		min, max int64
	}{
		{"right", func(int) time.Duration { return 0 }, 11, 11},
		{"wrong from the start", func(hour int) time.Duration { return once(hour == 0, 10*time.Minute) }, 11, 12},
		{"slow from the start", func(hour int) time.Duration { return once(hour == 0, -10*time.Minute) }, 11, 11},
		{"back", func(hour int) time.Duration { return once(hour == 3, -10*time.Minute) }, 11, 11},
		{"back a year", func(hour int) time.Duration { return once(hour == 3, -365*24*time.Hour) }, 11, 11},
		{"forth", func(hour int) time.Duration { return once(hour == 3, 10*time.Minute) }, 11, 12},
		{"forth a year", func(hour int) time.Duration { return once(hour == 3, 365*24*time.Hour) }, 11, 12},
		{"back and forth again", func(hour int) time.Duration { return once(hour == 3, -2*time.Hour) + once(hour == 4, 2*time.Hour) }, 11, 12},
		{"to and fro each hour", func(hour int) time.Duration { return time.Duration(1-hour%2*2) * 2 * time.Hour }, 11, 17},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var issued sync.Map // access token: when, by the bubble's time
				r, calls := counted(time.Hour, 0)
				noting := RefresherFunc(func(ctx context.Context, name string, prev Token) (Token, error) {
					t, err := r.Refresh(ctx, name, prev)
					issued.Store(t.AccessToken.Reveal(), time.Now())
					return t, err
				})
				c, clocks := watched(t, Config{Heartbeat: 10 * time.Second}, noting)
				for hour := range 10 {
					clocks.wall.Add(int64(test.jump(hour)))
					for range 60 {
						before := time.Now()
						token, err := c.Token(context.Background())
						if err != nil || time.Now() != before {
							t.Fatalf("Token in hour %d: %v after %v", hour, err, time.Since(before))
						}
						if at, _ := issued.Load(token.AccessToken.Reveal()); before.Sub(at.(time.Time)) >= time.Hour-10*time.Second {
							t.Fatalf("Token in hour %d: got one of %v ago", hour, before.Sub(at.(time.Time)))
						}
						time.Sleep(time.Minute)
					}
				}
				if got := calls.Load(); got < test.min || got > test.max {
					t.Errorf("refreshes in ten hours: got %d, want %d to %d", got, test.min, test.max)
				}
			})
		})
	}
}

func once(now bool, d time.Duration) time.Duration {
	if now {
		return d
	}
	return 0
}

// Section 4: machine time never goes back, and grows by the larger progress.
func TestMachineTime(t *testing.T) {
	m := &machineTime{}
	m.read(1_000, 0)
	if m.now != 1 {
		t.Fatalf("at the beginning: got %d, want 1", m.now)
	}
	for _, step := range []struct{ wall, monotonic, want int64 }{
		{1_010, 10, 11},   // both
		{1_010, 15, 16},   // the wall clock stands
		{900, 20, 21},     // it jumps back
		{905, 25, 26},     // and goes on
		{2_000, 30, 1121}, // it jumps forth, or the machine slept
		{2_005, 20, 1126}, // the monotonic one goes back, which it never does
	} {
		m.read(step.wall, step.monotonic)
		if m.now != step.want {
			t.Errorf("wall %d, monotonic %d: got machine time %d, want %d", step.wall, step.monotonic, m.now, step.want)
		}
	}
	m.reach(m.now + 100)
	early := m.now
	m.read(2_010, 25)
	if m.now != early {
		t.Errorf("after waking early: got %d, want still %d", m.now, early)
	}
	if got := m.ahead(50); got != early {
		t.Errorf("ahead, when a deadline was reached early: got %d, want %d", got, early)
	}
}
