package scene

import (
	"context"
	"errors"
	"math"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"

	"example.com/tokenactor/bench/contender"
)

// Keys is one program with many credentials: what each weighs besides the strings
// of its token, schedule and handle included; the goroutines there are when all
// have a token; a renewal put off by the installation of another token, as 64
// goroutines see it, by those who keep a schedule; a read of one after the other in
// no order, credentials in hand; and a collection of the garbage with all of them
// alive. The first tokens come in no order either, as renewals do: so they lie in
// memory as they would after a day. Libraries that know one credential only are opened once for each.
var Keys = Scene{
	Name:  "keys",
	About: "one program with so many credentials: the weight of each, goroutines, a renewal rescheduled, a read in no order, a GC cycle",
	Metrics: []Metric{
		{Name: "bytes/credential", Unit: "B"}, {Name: "goroutines", Unit: "goroutines"},
		{Name: "reschedule_ns", Unit: "ns"}, {Name: "read_ns", Unit: "ns"}, {Name: "gc_ms", Unit: "ms"},
	},
	Ratio:   "bytes/credential",
	Callers: []int{1000, 100_000, 1_000_000},
	Quick:   []int{1000, 20_000},
	Least:   1,
	Noun:    "credential",
	Rounds:  3,
	Once:    100_000,
	Open: func(_ context.Context, n int) (*Stage, error) {
		order := scattered(n)
		return &Stage{Run: func(ctx context.Context, c contender.Contender, _ time.Duration) (Sample, error) {
			return keys(ctx, c, order)
		}}, nil
	},
}

// keyToken is so short that copies of it, and headers made of it, weigh nothing.
const keyToken = "t"

// keyWorkers is how many goroutines use the credentials at once.
const keyWorkers = 64

// A Crowd is a contender of which one has many credentials.
type Crowd interface {
	// Many fills all with them: each a Reader, or more.
	Many(all []any) error
}

// A Rescheduler is a credential that knows when it will be renewed.
type Rescheduler interface {
	// Reschedule puts in a token with another expiry.
	Reschedule(ctx context.Context, t contender.Token) error
}

func keys(ctx context.Context, c contender.Contender, order []int32) (s Sample, err error) {
	login := func(context.Context) (contender.Token, error) {
		return contender.Token{Access: keyToken, Expiry: time.Now().Add(time.Hour)}, nil
	}
	all := make([]any, len(order))
	collection() // more than once: pools and what has finalizers live longer
	goroutines := runtime.NumGoroutine()
	heap, stacks := inUse()
	// What is made meanwhile and thrown away is not measured: collect it less often.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	stop, err := crowd(c, contender.Job{Login: login, Skew: skew}, all)
	defer func() { err = errors.Join(err, stop()) }()
	if err != nil {
		return Sample{}, err
	}
	err = shareWork(len(all), func(i int) error {
		_, err := all[order[i]].(Reader).Reads(ctx, 1)
		return err
	})
	if err != nil {
		return Sample{}, err
	}
	gc := collection()
	heapNow, stacksNow := inUse()
	// Stacks that the runtime gives back meanwhile are those of goroutines before.
	weight := max(0, heapNow-heap) + max(0, stacksNow-stacks)
	v := map[string]float64{
		"bytes/credential": weight / float64(len(all)),
		"goroutines":       float64(max(0, runtime.NumGoroutine()-goroutines)),
		"gc_ms":            milliseconds(gc),
	}
	v["read_ns"], err = eachTakes(order, func(i int32) error {
		_, err := all[i].(Reader).Reads(ctx, 1)
		return err
	})
	if err != nil {
		return Sample{}, err
	}
	if _, ok := all[0].(Rescheduler); ok {
		start := time.Now()
		var n atomic.Int64
		err = shareWork(min(len(all), 100_000), func(i int) error {
			later := time.Hour + time.Duration(n.Add(1))*time.Millisecond
			t := contender.Token{Access: keyToken, Expiry: start.Add(later)}
			return all[order[i]].(Rescheduler).Reschedule(ctx, t)
		})
		v["reschedule_ns"] = float64(time.Since(start)) / float64(n.Load())
	}
	runtime.KeepAlive(all)
	return values(v), err
}

// crowd fills all with credentials. stop is not nil.
func crowd(c contender.Contender, job contender.Job, all []any) (stop func() error, err error) {
	made, err := c.Open(job)
	first := func() error { return contender.Close(made) }
	if err != nil {
		return first, err
	}
	if many, ok := made.(Crowd); ok {
		return first, many.Many(all)
	}
	if _, err := as[Reader](made, noReads); err != nil {
		return first, err
	}
	all[0] = made
	stop = func() error {
		var errs []error
		for _, made := range all {
			errs = append(errs, contender.Close(made))
		}
		return errors.Join(errs...)
	}
	for i := 1; i < len(all) && err == nil; i++ {
		all[i], err = c.Open(job)
	}
	return stop, err
}

// collection is what a GC cycle takes, the shortest of three.
func collection() time.Duration {
	shortest := time.Duration(math.MaxInt64)
	for range 3 {
		start := time.Now()
		runtime.GC()
		shortest = min(shortest, time.Since(start))
	}
	return shortest
}

// inUse is what is in use, in bytes; after a collection, what is alive.
func inUse() (heap, stacks float64) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc), float64(m.StackInuse)
}

// scattered is 0 to n-1, each once, no two neighbours near each other.
func scattered(n int) []int32 {
	order := make([]int32, n)
	step := 7919*13 + 2 // prime to powers of ten; another n is not met in full, at worst
	for i, at := 0, 0; i < n; i++ {
		order[i] = int32(at)
		at = (at + step) % n
	}
	return order
}

// shareWork has keyWorkers goroutines call work with 0 to n-1.
func shareWork(n int, work func(i int) error) error {
	_, err := NewCrew(keyWorkers, func() {}, func(worker int) error {
		for i := worker; i < n; i += keyWorkers {
			if err := work(i); err != nil {
				return err
			}
		}
		return nil
	}).Run()
	return err
}

// eachTakes is the time in nanoseconds that one goroutine takes for one of so many in
// that order, after a first pass where there are few.
func eachTakes(order []int32, work func(i int32) error) (float64, error) {
	const n = 100_000
	for _, i := range order[:min(len(order), 1000)] {
		if err := work(i); err != nil {
			return 0, err
		}
	}
	start := time.Now()
	for at := range n {
		if err := work(order[at%len(order)]); err != nil {
			return 0, err
		}
	}
	return float64(time.Since(start)) / n, nil
}
