package scene

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"example.com/tokenactor/bench/contender"
)

// What stalls: lives so short that a run sees several, and refreshes that take a
// quarter of one.
const (
	stallLife    = 200 * time.Millisecond
	stallRefresh = 50 * time.Millisecond
	stallLeast   = 9 * stallLife / 4 // two renewals
	stallBlocked = time.Millisecond
)

// Stall is who waits when tokens expire. Each worker reads, lets the others have
// the processor, and reads again, so that no reader is interrupted between its two
// looks at the clock by another's turn. A token is no longer used 20 ms before its
// expiry by those who let that be chosen, and renewed 100 ms before it by those who
// renew in the background. A call that waits for a refresh takes much longer than
// 1 ms; a few of all may as well be the machine's, which the row harness shows.
var Stall = Scene{
	Name:  "stall",
	About: "tokens of 200 ms, refreshes of 50 ms, read all the time: how long single reads take",
	Metrics: []Metric{
		{Name: "blocked_over_1ms", Unit: "calls"}, {Name: "p50_us", Unit: "µs"}, {Name: "p90_us", Unit: "µs"}, {Name: "p99_us", Unit: "µs"},
		{Name: "p99.9_us", Unit: "µs"}, {Name: "max_us", Unit: "µs"}, {Name: "expired_reads", Unit: "calls"},
	},
	Ratio:   "p99.9_us",
	Callers: []int{200},
	Quick:   []int{200},
	Least:   1,
	Noun:    "worker",
	Longer:  15,
	Rounds:  2,
	Open: func(_ context.Context, workers int) (*Stage, error) {
		return &Stage{Run: func(ctx context.Context, c contender.Contender, d time.Duration) (Sample, error) {
			return stall(ctx, c, workers, max(d, stallLeast))
		}}, nil
	},
}

func stall(ctx context.Context, c contender.Contender, workers int, d time.Duration) (s Sample, err error) {
	e := &endpoint{delay: stallRefresh, life: stallLife}
	made, err := c.Open(contender.Job{Login: e.login, Skew: stallLife / 10, Window: stallLife / 2})
	if err != nil {
		return Sample{}, err
	}
	defer func() { err = errors.Join(err, contender.Close(made)) }()
	reader, err := as[Reader](made, noReads)
	if err != nil {
		return Sample{}, err
	}
	if _, err := reader.Reads(ctx, 1); err != nil {
		return Sample{}, err
	}
	seen := make([]stallSeen, min(workers, 256))
	for i := range seen {
		seen[i].calls = newHistogram()
	}
	var over atomic.Bool
	crew := NewCrew(workers, func() {}, func(worker int) error {
		s := &seen[worker%len(seen)]
		var last contender.Token
		for !over.Load() {
			start := time.Now()
			got, err := reader.Reads(ctx, 1)
			took := time.Since(start)
			if err != nil {
				return err
			}
			if got != last.Access {
				t, _ := e.issued.Load(got)
				last = t.(contender.Token)
			}
			s.add(took, start.After(last.Expiry) && !c.Yardstick)
			runtime.Gosched()
		}
		return nil
	})
	runtime.GC()
	end := time.AfterFunc(d, func() { over.Store(true) })
	defer end.Stop()
	if _, err := crew.Run(); err != nil {
		return Sample{}, err
	}
	return summary(seen), nil
}

// stallSeen is what one worker saw, or several in turn.
type stallSeen struct {
	mu               sync.Mutex
	calls            *hdrhistogram.Histogram // nanoseconds
	blocked, expired int
}

// newHistogram holds a nanosecond to a minute, to a hundredth.
func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, time.Minute.Nanoseconds(), 2)
}

func (s *stallSeen) add(took time.Duration, expired bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.calls.RecordValue(min(took, time.Minute).Nanoseconds()) // an error: out of range
	if took > stallBlocked {
		s.blocked++
	}
	if expired {
		s.expired++
	}
}

func summary(seen []stallSeen) Sample {
	all, blocked, expired := newHistogram(), 0, 0
	for i := range seen {
		all.Merge(seen[i].calls)
		blocked += seen[i].blocked
		expired += seen[i].expired
	}
	at := func(percent float64) float64 { return float64(all.ValueAtQuantile(percent)) / 1000 }
	return values(map[string]float64{
		"blocked_over_1ms": float64(blocked),
		"p50_us":           at(50),
		"p90_us":           at(90),
		"p99_us":           at(99),
		"p99.9_us":         at(99.9),
		"max_us":           at(100),
		"expired_reads":    float64(expired),
	})
}
