package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"example.com/tokenactor/bench/number"
)

// A Line is one number over time.
type Line struct {
	Name   string
	Step   time.Duration
	Values []float64 // one for each step
}

// graph is the chart of the lines of one load.
type graph struct {
	ID     string
	Title  string
	Desc   string
	Axis   string // the label above
	Across string // the label below

	Height int
	Plot   int
	XTicks []graphTick
	YTicks []graphTick
	Paths  []path
}

type graphTick struct {
	At    percent
	Label string
}

// A path is a line as drawn.
type path struct {
	Class string
	Name  string
	D     string // in a square of 1,000 by 1,000
	Peak  string
	Key   percent // where it stands in the legend
}

const (
	plotHeight = 200
	points     = 288 // as many as can be seen; five minutes of a day
	square     = 1000
)

// graphs makes one for each load that was watched over time.
func (s *Scene) graphs() []graph {
	var graphs []graph
	for i := range s.Loads {
		if l := &s.Loads[i]; len(l.Lines) > 0 {
			g := l.graph()
			g.ID = fmt.Sprintf("graph-%s-%d", s.Name, i)
			g.Desc = fmt.Sprintf("%s over time, %s. %s", g.Axis, g.Title, g.Desc)
			graphs = append(graphs, g)
		}
	}
	return graphs
}

func (l *Load) graph() graph {
	var values []float64
	for _, line := range l.Lines {
		values = append(values, peaks(line.Values)...)
	}
	axis := newScale(values)
	g := graph{Title: l.Title, Height: plotHeight + 56 + axisHeight, Plot: plotHeight}
	for _, t := range axis.ticks() {
		g.YTicks = append(g.YTicks, graphTick{percent(100 * (1 - t.At)), t.Label})
	}
	var length time.Duration
	for i, line := range l.Lines {
		length = max(length, line.Step*time.Duration(len(line.Values)))
		p := path{Class: fmt.Sprintf("line%d", i%3), Name: line.Name, Key: percent(50 * (i % 2))}
		tops := peaks(line.Values)
		p.D = draw(tops, axis)
		p.Peak = number.Digits(most(tops))
		g.Paths = append(g.Paths, p)
		g.Desc += fmt.Sprintf("%s: at most %s, on average %s. ", line.Name, p.Peak, number.Digits(mean(line.Values)))
	}
	slices.Reverse(g.Paths) // the first lies on top
	unit := unitOf(length)
	for i := 0; i <= 4; i++ {
		t := length * time.Duration(i) / 4
		g.XTicks = append(g.XTicks, graphTick{percent(25 * i), number.Short(float64(t) / float64(unit.of))})
	}
	g.Axis = l.Watched.label() + axis.note()
	g.Across = "time (" + unit.name + ")"
	if n := len(l.Lines[0].Values); n > points {
		g.Axis += "; the most of each " + short(l.Lines[0].Step*time.Duration(perPoint(n)))
	}
	return g
}

type unit struct {
	name string
	of   time.Duration
}

// unitOf gives the greatest in which a length is more than one.
func unitOf(length time.Duration) unit {
	switch {
	case length > time.Hour:
		return unit{"h", time.Hour}
	case length > time.Minute:
		return unit{"min", time.Minute}
	}
	return unit{"s", time.Second}
}

// short gives a length in its unit: 5 min.
func short(d time.Duration) string {
	u := unitOf(d)
	return number.Short(float64(d)/float64(u.of)) + " " + u.name
}

func perPoint(n int) int { return max(1, (n+points-1)/points) }

// peaks gives the most of each stretch that is drawn as one point: an average
// would hide the very second in which all ask at once.
func peaks(values []float64) []float64 {
	each := perPoint(len(values))
	var tops []float64
	for from := 0; from < len(values); from += each {
		tops = append(tops, most(values[from:min(from+each, len(values))]))
	}
	return tops
}

func most(values []float64) float64 {
	top := 0.0
	for _, v := range values {
		top = max(top, v)
	}
	return top
}

func mean(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}

// draw gives a line of steps, for a point stands for a stretch and not a moment.
func draw(values []float64, axis scale) string {
	var d strings.Builder
	width := square / float64(len(values))
	for i, v := range values {
		y := math.Round(square * (1 - axis.at(v)))
		if i == 0 {
			fmt.Fprintf(&d, "M0 %.0f", y)
		} else {
			fmt.Fprintf(&d, "V%.0f", y)
		}
		fmt.Fprintf(&d, "H%.1f", width*float64(i+1))
	}
	return d.String()
}
