package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"example.com/tokenactor/bench/number"
)

// wide is how many metrics a table shows with their least and their greatest.
const wide = 3

// writeTable shows a table as text.
func writeTable(w io.Writer, t table) {
	fmt.Fprintf(w, "\n%s: %s\n\n", t.title(), t.scene.About)
	narrow := len(t.scene.Metrics) > wide
	ref := t.reference()
	fmt.Fprintf(w, "%-22s", "contender")
	for _, m := range t.scene.Metrics {
		writeCell(w, m.Name, "(min – max)", narrow)
	}
	if ref != nil {
		writeCell(w, "÷ "+ref.contender.Name, "(min – max)", false)
	}
	fmt.Fprintln(w)
	for i := range t.rows {
		if r := &t.rows[i]; r.cannot == "" {
			t.writeRow(w, r, ref, narrow)
		}
	}
	writeCannot(w, t.rows)
	fmt.Fprintln(w)
	if ref != nil && len(t.again.samples) > 0 {
		noise := t.noise()
		fmt.Fprintf(w, "noise: %s twice in a round differs from itself by the factor %s (%s – %s)\n",
			ref.contender.Name, number.Digits(noise.median), number.Digits(noise.min), number.Digits(noise.max))
	}
	if t.goroutines > 0 {
		fmt.Fprintf(w, "harness: starting and ending %s takes %v of each run of %v\n",
			number.Plural(t.goroutines, "goroutine"), t.idle.Round(time.Microsecond), t.duration)
	}
}

func (t *table) writeRow(w io.Writer, r, ref *row, narrow bool) {
	fmt.Fprintf(w, "%-22s", r.contender.Name)
	for _, m := range t.scene.Metrics {
		if r.has(m.Name) {
			writeStat(w, summarize(r.values(m.Name)), narrow)
		} else {
			writeCell(w, "–", "", narrow)
		}
	}
	if ref != nil && r.has(t.scene.Ratio) {
		writeStat(w, t.ratio(r, ref), false)
	}
	fmt.Fprintln(w)
}

// writeCannot lists the reasons, each with all whom it concerns.
func writeCannot(w io.Writer, rows []row) {
	names := make(map[string][]string)
	var reasons []string
	for _, r := range rows {
		if r.cannot == "" {
			continue
		}
		if names[r.cannot] == nil {
			reasons = append(reasons, r.cannot)
		}
		names[r.cannot] = append(names[r.cannot], r.contender.Name)
	}
	for _, reason := range reasons {
		fmt.Fprintf(w, "cannot: %s – %s\n", strings.Join(names[reason], ", "), reason)
	}
}

func (t *table) title() string { return t.scene.Name + ", " + number.Plural(t.callers, t.scene.Noun) }

// noise compares the contender that ratios are to with itself.
func (t *table) noise() stat { return t.ratio(&t.again, t.reference()) }

// ratio compares two rows, round by round.
func (t *table) ratio(r, to *row) stat { return t.ratioOf(t.scene.Ratio, r, to) }

func (t *table) ratioOf(metric string, r, to *row) stat {
	return summarize(ratios(r.values(metric), to.values(metric)))
}

func writeStat(w io.Writer, s stat, narrow bool) {
	spread := ""
	if s.min != s.max {
		spread = "(" + number.Digits(s.min) + " – " + number.Digits(s.max) + ")"
	}
	writeCell(w, number.Digits(s.median), spread, narrow)
}

func writeCell(w io.Writer, value, spread string, narrow bool) {
	if narrow {
		fmt.Fprintf(w, "%18s", value)
		return
	}
	fmt.Fprintf(w, "%18s %-19s", value, spread)
}
