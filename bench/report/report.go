// Package report makes what a run of the benchmark leaves for people to look at:
// one HTML page, and a picture of each scene.
//
// Both need nothing but themselves: no network, no script, no font of their own.
// Charts are SVG with text as text, measured in percent of their width, so that a
// narrow screen makes bars shorter and not letters smaller. Who is who is told by
// shapes and hatching as well as by colour.
package report

import (
	"math"
	"strings"

	"example.com/tokenactor/bench/number"
)

// Ours is the contender whose place is told.
const Ours = "tokenactor"

// A Page is one run of the benchmark.
type Page struct {
	Machine    string // processor, system and Go version, in one line
	Date       string
	Size       string // how many rounds, how long
	Command    string // what was run
	Contenders []Contender
	Scenes     []Scene
}

// A Contender is one way to keep a token fresh.
type Contender struct {
	Name      string
	About     string
	Module    string // "": written out in the benchmark
	Version   string // "": that of the tree at hand
	Yardstick bool   // it does not compete, and has no place
}

// A Scene is one situation and what was measured in it.
type Scene struct {
	Name    string
	About   string
	Metrics []Metric // charts and places begin with the first
	Loads   []Load
}

// A Metric is one number of a measurement.
type Metric struct {
	Name string
	Unit string
	More bool // more is better
}

// label names the metric with its unit, once.
func (m Metric) label() string {
	if strings.HasPrefix(m.Name, m.Unit) || len(m.Unit) > 2 && strings.HasSuffix(m.Name, m.Unit) {
		return m.Name
	}
	return m.Name + " (" + m.Unit + ")"
}

// better says which end of an axis is the good one.
func (m Metric) better() string {
	if m.More {
		return "more is better"
	}
	return "less is better"
}

// A Load is a scene with one number of callers, or whatever it counts.
type Load struct {
	Title     string // such as: 100 callers
	Rows      []Row
	Reference string // whom ratios are to; "": nobody could
	Noise     []Stat // by metric: the reference ÷ itself, run twice in a round; nil: not known
	Harness   string // what the benchmark itself costs, in a sentence; "": nothing to say
	Lines     []Line // what went on over time, if that was watched
	Watched   Metric // what the lines are of
}

// A Row is what one contender did.
type Row struct {
	Contender string
	Yardstick bool
	Cannot    string // the reason; "": it can
	Cells     []Cell // by metric
}

// A Cell is one metric of one contender, the zero Cell one that it has no part in.
type Cell struct {
	Stat
	Ratio Stat // to the reference, taken inside the rounds; zero: not taken
}

// A Stat sums up the rounds. Without Runs there is nothing to sum up.
type Stat struct {
	Median, Min, Max float64
	Runs             int
}

func (s Stat) String() string {
	switch {
	case s.Runs == 0:
		return "–"
	case s.Min == s.Max || math.IsNaN(s.Median) || math.IsInf(s.Median, 0): // something ÷ 0
		return number.Digits(s.Median)
	}
	return number.Digits(s.Median) + " (" + s.Spread() + ")"
}

// factor is how much a ratio of a contender to itself differs from 1 at most, in
// either direction. False: it says nothing, as 0 ÷ 0.
func (s Stat) factor() (float64, bool) {
	f := max(s.Max, 1/s.Min)
	return f, s.Runs > 0 && s.Min > 0 && !math.IsInf(f, 0) && !math.IsNaN(f)
}

// Spread gives the least and the greatest.
func (s Stat) Spread() string { return number.Digits(s.Min) + " – " + number.Digits(s.Max) }
