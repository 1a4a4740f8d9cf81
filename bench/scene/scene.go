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

	// Metrics are what a run measures. Ratios are taken of the one that Ratio
	// names; "": of none.
	Metrics []Metric
	Ratio   string

	// Callers are the numbers that it is run with by default, Quick those of a
	// first look, Least is the least that it can be run with, and Noun is what
	// they count. The results call them callers whatever they count.
	Callers []int
	Quick   []int
	Least   int
	Noun    string

	// Longer is how many times -duration a run lasts; 0: as long as it takes.
	Longer int

	// Rounds bounds the rounds where runs take long; 0: no bound. With Once
	// callers and more there is one; 0: never.
	Rounds, Once int

	// Open makes what all runs with that number share.
	Open func(ctx context.Context, callers int) (*Stage, error)
}

// A Stage is a Scene with one number of callers.
type Stage struct {
	Goroutines int // whose start and end is a part of what is timed

	// Run sets a new one of the contender up, warms it up, measures, for about
	// d where the scene lasts as long as it is told, and stops it. Only the
	// measuring is timed.
	Run func(ctx context.Context, c contender.Contender, d time.Duration) (Sample, error)

	// Close ends what Open made. Nil: nothing to end.
	Close func() error
}

// A Metric is one number of a Sample. Names are stable: results are compared
// over years.
type Metric struct {
	Name, Unit string
	More       bool // is better
}

// A Sample is what one run measured, by name of the metric. One that a contender
// has no part in is missing.
type Sample struct {
	Values map[string]float64

	// Series is what a run saw in the course of time, one value a minute; of the
	// scene simulate only.
	Series []float64
}

func values(v map[string]float64) Sample { return Sample{Values: v} }

// Cannot is the error of a contender that cannot do a scene: the reason.
type Cannot string

func (c Cannot) Error() string { return "cannot: " + string(c) }

// All lists the scenes in the order in which they run.
var All = []Scene{Read, RoundTrip, RoundTripLong, Crawl, Stall, Outage, Storm, Late, Cancel, Keys, Persist, Simulate}

// Run is one run of the contender on the stage.
func (s *Scene) Run(ctx context.Context, stage *Stage, c contender.Contender, d time.Duration) (Sample, error) {
	if err := s.Admit(c); err != nil {
		return Sample{}, err
	}
	return stage.Run(ctx, c, d)
}

// Admit gives the reason of a contender that says itself that it cannot.
func (s *Scene) Admit(c contender.Contender) error {
	if reason := c.Cannot[s.Name]; reason != "" {
		return Cannot(reason)
	}
	return nil
}
