package scene

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/benbjohnson/clock"

	"example.com/tokenactor/bench/contender"
	"example.com/tokenactor/manager"
)

const (
	simulateLife = time.Hour
	simulateDay  = 24 * time.Hour
	simulateMost = 10_000 // credentials that are followed; they stand for the others
)

// Simulate is a day in the life of an authorization server: a fleet of credentials
// that all get their first token, of an hour, in the same second. Time is virtual,
// a second at a time; the endpoint answers within the second, however many ask, so
// that nothing but their own jitter keeps them apart. The refreshes are those after
// the first second. Credentials know nothing of each other: of more than 10,000
// that many are followed, and each counts for so many as it stands for.
var Simulate = Scene{
	Name:    "simulate",
	About:   "a day of a fleet, all started at once, tokens of an hour, in virtual time: refreshes per second that the server sees",
	Metrics: []Metric{{Name: "peak_refreshes/s", Unit: "refreshes/s"}, {Name: "mean_refreshes/s", Unit: "refreshes/s"}},
	Ratio:   "peak_refreshes/s",
	Callers: []int{1000, 1_000_000},
	Quick:   []int{1000},
	Least:   1,
	Noun:    "credential",
	Rounds:  1,
	Open: func(_ context.Context, n int) (*Stage, error) {
		return &Stage{Run: func(ctx context.Context, c contender.Contender, _ time.Duration) (Sample, error) {
			subject, err := open(c, accessToken)
			if err != nil {
				return Sample{}, err
			}
			fleet, err := as[Fleet](subject.made, "it renews when it is read, not by itself: the server sees its readers")
			if err != nil {
				return Sample{}, errors.Join(err, subject.close())
			}
			s, err := simulate(ctx, fleet.Fleet(), n)
			return s, errors.Join(err, subject.close())
		}}, nil
	},
}

// A Fleet is a contender that renews by itself, on a clock that can be given to it.
type Fleet interface {
	// Fleet gives what each program makes its Manager of.
	Fleet() manager.Config
}

func simulate(ctx context.Context, config manager.Config, n int) (s Sample, err error) {
	v := &virtual{Clock: clock.New(), begin: time.Now().Round(0)}
	config.Clock, config.Heartbeat = v, -1
	followed := min(n, simulateMost)
	p, err := startProgram(ctx, config, followed)
	if err != nil {
		return Sample{}, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	each := float64(n) / float64(followed)
	var series []float64
	peak, sum := 0.0, 0.0
	for second := 1; second < int(simulateDay/time.Second); second++ {
		if err := ctx.Err(); err != nil {
			return Sample{}, err
		}
		v.second.Store(int64(second))
		refreshes, err := p.pass()
		if err != nil {
			return Sample{}, err
		}
		seen := float64(refreshes) * each
		peak, sum = max(peak, seen), sum+seen
		if minute := second / 60; minute == len(series) {
			series = append(series, seen)
		} else {
			series[minute] = max(series[minute], seen)
		}
	}
	s = values(map[string]float64{"peak_refreshes/s": peak, "mean_refreshes/s": sum / simulateDay.Seconds()})
	s.Series = series
	return s, nil
}

// virtual is a clock that stands still but when it is told. Its timers are real
// ones, and none of an hour ever fires: the manager looks at the clock whenever it
// gets a message.
type virtual struct {
	clock.Clock
	begin  time.Time
	second atomic.Int64
}

func (v *virtual) Now() time.Time {
	return v.begin.Add(time.Duration(v.second.Load()) * time.Second)
}

func (v *virtual) Since(t time.Time) time.Duration { return v.Now().Sub(t) }

func (v *virtual) Until(t time.Time) time.Duration { return t.Sub(v.Now()) }

// A program holds the fleet.
type program struct {
	*manager.Manager
	calls atomic.Int64 // of its Refresher
	any   *manager.Credential
	last  manager.Stats
}

func startProgram(ctx context.Context, config manager.Config, credentials int) (*program, error) {
	m, err := manager.New(config)
	if err != nil {
		return nil, err
	}
	p := &program{Manager: m}
	refresh := manager.RefresherFunc(func(context.Context, string, manager.Token) (manager.Token, error) {
		return manager.Token{AccessToken: manager.NewSecret(fmt.Sprint(p.calls.Add(1))), ExpiresIn: simulateLife}, nil
	})
	var first sync.WaitGroup
	var failed atomic.Pointer[error]
	for i := range credentials {
		c := m.Manage(fmt.Sprint("tenant/", i), refresh)
		p.any = c
		first.Go(func() {
			if _, err := c.Token(ctx); err != nil {
				failed.Store(&err)
			}
		})
	}
	first.Wait()
	p.last = m.Stats()
	if err := failed.Load(); err != nil {
		return nil, errors.Join(*err, m.Close())
	}
	return p, nil
}

// pass lets the manager do what is due at this second, and returns how often its
// Refresher was called. An answer to Status says that the turns before that in
// which it was asked are over: so nothing is left to do when two questions in a row
// find no refresh in flight and none that has not landed.
func (p *program) pass() (refreshes uint64, err error) {
	for settled := 0; settled < 2; {
		p.any.Status()
		now := p.Stats()
		switch {
		case now.RefreshFailures > 0:
			return 0, errors.New("a refresh failed")
		case now.InFlight == 0 && now.Refreshes == uint64(p.calls.Load()):
			settled++
		default:
			settled = 0
		}
	}
	now := p.Stats()
	refreshes, p.last = now.Refreshes-p.last.Refreshes, now
	return refreshes, nil
}
