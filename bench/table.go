package main

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// writeTable shows a table as text.
func writeTable(w io.Writer, t table) {
	fmt.Fprintf(w, "\n%s: %s\n\n", t.title(), t.scene.About)
	ref := t.reference()
	fmt.Fprintf(w, "%-12s", "contender")
	for _, m := range t.scene.Metrics {
		writeCell(w, m.Name, "(min – max)")
	}
	if ref != nil {
		writeCell(w, "÷ "+ref.contender.Name, "(min – max)")
	}
	fmt.Fprintln(w)
	for _, r := range t.rows {
		fmt.Fprintf(w, "%-12s", r.contender.Name)
		if r.cannot != "" {
			fmt.Fprintf(w, "    cannot: %s\n", r.cannot)
			continue
		}
		for _, m := range t.scene.Metrics {
			writeStat(w, summarize(r.values(m.Name)))
		}
		writeStat(w, t.ratio(&r, ref))
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w)
	if ref != nil {
		noise := t.noise()
		fmt.Fprintf(w, "noise: %s twice in a round differs from itself by the factor %s (%s – %s)\n",
			ref.contender.Name, digits(noise.median), digits(noise.min), digits(noise.max))
	}
	fmt.Fprintf(w, "harness: starting and ending %s takes %v of each run of %v\n",
		plural(t.goroutines, "goroutine"), t.idle.Round(time.Microsecond), t.duration)
}

func (t *table) title() string { return t.scene.Name + ", " + plural(t.callers, t.scene.Noun) }

// noise compares the contender that ratios are to with itself.
func (t *table) noise() stat { return t.ratio(&t.again, t.reference()) }

// ratio compares the first metric of two rows, round by round.
func (t *table) ratio(r, to *row) stat {
	metric := t.scene.Metrics[0].Name
	return summarize(ratios(r.values(metric), to.values(metric)))
}

func writeStat(w io.Writer, s stat) {
	spread := ""
	if s.min != s.max {
		spread = "(" + digits(s.min) + " – " + digits(s.max) + ")"
	}
	writeCell(w, digits(s.median), spread)
}

func writeCell(w io.Writer, value, spread string) { fmt.Fprintf(w, "%14s %-17s", value, spread) }

// digits gives what is worth reading of a number: three digits, and no fraction
// of a hundred or more.
func digits(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v < 9.995:
		return fmt.Sprintf("%.2f", v)
	case v < 99.95:
		return fmt.Sprintf("%.1f", v)
	}
	return grouped(fmt.Sprintf("%.0f", v))
}

// grouped puts commas between groups of three digits.
func grouped(s string) string {
	var groups []string
	for ; len(s) > 3; s = s[:len(s)-3] {
		groups = append([]string{s[len(s)-3:]}, groups...)
	}
	return strings.Join(append([]string{s}, groups...), ",")
}

func plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return grouped(fmt.Sprint(n)) + " " + noun
}
