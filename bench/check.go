package main

import (
	"fmt"
	"io"
	"slices"
)

// The promises of the README, each about two runs of one round.
const (
	mostTimesLimit = 6  // a read takes at most so many times a bare atomic load
	leastTimesBest = 30 // the best contender takes at least so many times our read
)

// bestAt are the numbers of callers at which leastTimesBest is promised: alone,
// and in a crowd.
var bestAt = []int{1, 10_000}

// A verdict says whether a promise was kept.
type verdict struct {
	kept bool
	text string
}

// check holds the tables to the promises. What was not measured is not kept: a
// check that looked at nothing must not pass.
func check(tables []table) []verdict {
	var verdicts []verdict
	missing := slices.Clone(bestAt)
	for _, t := range tables {
		if t.scene.Name == "read" {
			verdicts = append(verdicts, checkRead(t)...)
			missing = slices.DeleteFunc(missing, func(n int) bool { return n == t.callers })
		}
	}
	for _, n := range missing {
		verdicts = append(verdicts, verdict{false, "read, " + plural(n, "caller") + ": not measured"})
	}
	return verdicts
}

func checkRead(t table) []verdict {
	at := "read, " + plural(t.callers, "caller") + ": "
	ours, bare, rivals := t.row("tokenactor"), t.row("limit"), t.rivals("ns/op")
	if ours == nil || bare == nil || len(rivals) == 0 {
		return []verdict{{false, at + "tokenactor, limit or a contender to compare with was not measured"}}
	}
	allocs := summarize(ours.values("allocs/op")).median
	toLimit := t.ratio(ours, bare).median
	verdicts := []verdict{
		{allocs == 0, at + "allocations: " + digits(allocs) + ", want 0"},
		{toLimit <= mostTimesLimit, fmt.Sprintf("%stokenactor ÷ limit: %s, want at most %d", at, digits(toLimit), mostTimesLimit)},
	}
	if slices.Contains(bestAt, t.callers) {
		toBest := summarize(ratios(best(rivals), ours.values("ns/op"))).median
		verdicts = append(verdicts, verdict{toBest >= leastTimesBest,
			fmt.Sprintf("%sbest contender ÷ tokenactor: %s, want at least %d", at, digits(toBest), leastTimesBest)})
	}
	return verdicts
}

// rivals gives a metric, round by round, of each contender that competes with
// tokenactor.
func (t *table) rivals(metric string) [][]float64 {
	var rivals [][]float64
	for _, r := range t.rows {
		if c := r.contender; c.Name != "tokenactor" && !c.Yardstick && r.cannot == "" {
			rivals = append(rivals, r.values(metric))
		}
	}
	return rivals
}

// writeVerdicts reports whether all promises were kept.
func writeVerdicts(w io.Writer, verdicts []verdict) bool {
	fmt.Fprint(w, "\npromises\n\n")
	all := true
	for _, v := range verdicts {
		word := "kept  "
		if !v.kept {
			word, all = "MISSED", false
		}
		fmt.Fprintf(w, "%s  %s\n", word, v.text)
	}
	return all
}
