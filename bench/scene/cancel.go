package scene

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"example.com/tokenactor/bench/contender"
)

const (
	cancelRefresh  = 100 * time.Millisecond
	cancelLeader   = 10 * time.Millisecond // after the others have come
	cancelDeadline = 30 * time.Millisecond
	cancelTries    = 5
)

// Cancel is whose context governs a refresh. A caller begins one; others join it,
// with deadlines before its end, and one who has time; then the first is cancelled.
// One refresh is enough. Whoever gets an error while its own context goes on asks
// again, as a program would.
var Cancel = Scene{
	Name:    "cancel",
	About:   "a refresh of 100 ms whose caller is cancelled, joined by callers with deadlines of 30 ms: refreshes, and when the last of those has left",
	Metrics: []Metric{{Name: "refreshes", Unit: "refreshes"}, {Name: "waiter_left_ms", Unit: "ms"}},
	Ratio:   "waiter_left_ms",
	Callers: []int{10},
	Quick:   []int{10},
	Least:   1,
	Noun:    "waiter",
	Rounds:  3,
	Open: func(_ context.Context, waiters int) (*Stage, error) {
		return &Stage{Run: func(ctx context.Context, c contender.Contender, _ time.Duration) (Sample, error) {
			return cancelled(ctx, c, waiters)
		}}, nil
	},
}

func cancelled(ctx context.Context, c contender.Contender, waiters int) (s Sample, err error) {
	e := &endpoint{delay: cancelRefresh, life: time.Hour}
	made, err := c.Open(contender.Job{Login: e.login, Skew: skew})
	if err != nil {
		return Sample{}, err
	}
	defer func() { err = errors.Join(err, contender.Close(made)) }()
	reader, err := as[Reader](made, noReads)
	if err != nil {
		return Sample{}, err
	}
	begunc := e.began()
	left := make([]time.Duration, waiters)
	crew := NewCrew(waiters+1, func() {}, func(caller int) error {
		if caller == waiters {
			return persistent(ctx, reader)
		}
		ctx, cancel := context.WithTimeout(ctx, cancelDeadline)
		defer cancel()
		start := time.Now()
		_ = persistent(ctx, reader) // an error is what it should get
		left[caller] = time.Since(start)
		return nil
	})
	runtime.GC()
	first, cancel := context.WithCancel(ctx)
	defer cancel()
	var leader sync.WaitGroup
	leader.Go(func() { _, _ = reader.Reads(first, 1) })
	<-begunc
	end := time.AfterFunc(cancelLeader, cancel)
	defer end.Stop()
	_, err = crew.Run()
	leader.Wait()
	last := time.Duration(0)
	for _, d := range left {
		last = max(last, d)
	}
	return values(map[string]float64{"refreshes": float64(e.calls.Load()), "waiter_left_ms": milliseconds(last)}), err
}

// persistent reads until it has a token, or ctx ends.
func persistent(ctx context.Context, reader Reader) (err error) {
	for range cancelTries {
		if _, err = reader.Reads(ctx, 1); err == nil || ctx.Err() != nil {
			return err
		}
	}
	return fmt.Errorf("no token in %d tries: %w", cancelTries, err)
}
