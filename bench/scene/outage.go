package scene

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"example.com/tokenactor/bench/contender"
)

const (
	outageDelay    = 10 * time.Millisecond
	outageDeadline = 5 * outageDelay / 2 // of every tenth caller
)

// Outage is what a failing endpoint does to those who need a token. Nobody can get
// one: what counts is that all learn it soon, and that the endpoint is not asked
// once for each of them. Every tenth caller has a deadline of 25 ms; it is missed by
// one that returns more than another 10 ms later.
var Outage = Scene{
	Name:    "outage",
	About:   "no token, and an endpoint that fails after 10 ms: how often it is asked, and when all callers know",
	Metrics: []Metric{{Name: "calls", Unit: "calls"}, {Name: "answered_all_ms", Unit: "ms"}, {Name: "deadlines_missed", Unit: "callers"}},
	Ratio:   "answered_all_ms",
	Callers: []int{100},
	Quick:   []int{50},
	Least:   1,
	Noun:    "caller",
	Rounds:  1,
	Open: func(_ context.Context, callers int) (*Stage, error) {
		return &Stage{Run: func(ctx context.Context, c contender.Contender, _ time.Duration) (Sample, error) {
			return outage(ctx, c, callers)
		}}, nil
	},
}

func outage(ctx context.Context, c contender.Contender, callers int) (s Sample, err error) {
	e := &endpoint{delay: outageDelay, down: true}
	made, err := c.Open(contender.Job{Login: e.login, Skew: skew})
	if err != nil {
		return Sample{}, err
	}
	defer func() { err = errors.Join(err, contender.Close(made)) }()
	reader, err := as[Reader](made, noReads)
	if err != nil {
		return Sample{}, err
	}
	var missed atomic.Int64
	crew := NewCrew(callers, func() {}, func(caller int) error {
		ctx, limit := ctx, time.Hour
		if caller%10 == 0 {
			limit = outageDeadline
		}
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		start := time.Now()
		if got, err := reader.Reads(ctx, 1); err == nil {
			return fmt.Errorf("read the token %q in an outage", got)
		}
		if time.Since(start) > limit+outageDelay {
			missed.Add(1)
		}
		return nil
	})
	runtime.GC()
	took, err := crew.Run()
	return values(map[string]float64{
		"calls":            float64(e.calls.Load()),
		"answered_all_ms":  milliseconds(took),
		"deadlines_missed": float64(missed.Load()),
	}), err
}
