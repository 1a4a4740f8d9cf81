// Package scene has what the contenders are put through: one file for each.
package scene

import (
	"context"
	"time"

	"example.com/tokenactor/bench/contender"
)

// A Scene is one situation, measured the same way for every contender.
type Scene struct {
	Name  string // as on the command line and in the results
	About string // one line: what is measured

	// Metrics are what a run measures. Ratios are taken of the first, of
	// which less is better.
	Metrics []Metric

	// Callers are the numbers that it is run with by default, Least is the
	// least that it can be run with, and Noun is what they count. The results
	// call them callers whatever they count.
	Callers []int
	Least   int
	Noun    string

	// Longer is how many times -duration a run lasts; 0: once.
	Longer int

	// Open makes what all runs with that number share.
	Open func(ctx context.Context, callers int) (*Stage, error)
}

// A Stage is a Scene with one number of callers.
type Stage struct {
	Goroutines int // how many a run has

	// Run sets a new one of the contender up, warms it up, measures for about
	// d, and stops it. Only the measuring is timed.
	Run func(ctx context.Context, c contender.Contender, d time.Duration) (Sample, error)

	// Close ends what Open made. Nil: nothing to end.
	Close func() error
}

// A Metric is one number of a Sample. Names are stable: results are compared
// over years.
type Metric struct{ Name, Unit string }

// A Sample is what one run measured, by name of the metric.
type Sample map[string]float64

// Cannot is the error of a contender that cannot do a scene: the reason.
type Cannot string

func (c Cannot) Error() string { return "cannot: " + string(c) }

// All lists the scenes in the order in which they run.
var All = []Scene{Read, RoundTrip, RoundTripLong, Crawl}
