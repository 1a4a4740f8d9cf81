package main

import (
	"fmt"
	"io"
	"slices"

	"example.com/tokenactor/bench/number"
	"example.com/tokenactor/bench/scene"
)

// A verdict says whether a promise was kept.
type verdict struct {
	kept bool
	text string
}

// check holds the tables of these scenes to the promises; a quick one to those that
// are counts, which hold on any machine. What was not measured is not kept: a check
// that looked at nothing must not pass.
func check(scenes []scene.Scene, tables []table, quick bool) []verdict {
	var verdicts []verdict
	for _, s := range scenes {
		p := promises[s.Name]
		missing := slices.Clone(p.at)
		if quick {
			missing = slices.Clone(s.Quick)
		}
		for i := range tables {
			t := &tables[i]
			if t.scene.Name != s.Name {
				continue
			}
			for _, v := range p.check(t, quick) {
				v.text = t.title() + ": " + v.text
				verdicts = append(verdicts, v)
			}
			missing = slices.DeleteFunc(missing, func(n int) bool { return n == t.callers })
		}
		for _, n := range missing {
			t := table{scene: s, callers: n}
			verdicts = append(verdicts, verdict{false, t.title() + ": not measured"})
		}
	}
	return verdicts
}

// check gives the verdicts on a table.
func (p *promise) check(t *table, quick bool) []verdict {
	ours := t.row("tokenactor")
	if ours == nil {
		return absent("tokenactor")
	}
	var verdicts []verdict
	if p.counts != nil {
		verdicts = p.counts(t, ours)
	}
	if !quick && p.ratios != nil {
		verdicts = append(verdicts, p.ratios(t, ours)...)
	}
	return verdicts
}

// atMost is the promise that a value is no greater than want.
func atMost(what string, got, want float64) verdict {
	bound := fmt.Sprintf("at most %v", want)
	if want == 0 {
		bound = "0"
	}
	return verdict{got <= want, fmt.Sprintf("%s: %s, want %s", what, number.Digits(got), bound)}
}

func atLeast(what string, got, want float64) verdict {
	return verdict{got >= want, fmt.Sprintf("%s: %s, want at least %v", what, number.Digits(got), want)}
}

// absent is the verdict where something was not measured.
func absent(what string) []verdict { return []verdict{{false, what + " was not measured"}} }

// rivals gives a metric, round by round, of each contender that competes with
// tokenactor.
func (t *table) rivals(metric string) [][]float64 {
	var rivals [][]float64
	for _, r := range t.rows {
		if c := r.contender; c.Name != "tokenactor" && !c.Yardstick && r.cannot == "" && r.has(metric) {
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
