package main

import (
	"strings"
	"testing"

	"example.com/tokenactor/bench/contender"
	"example.com/tokenactor/bench/scene"
)

// readTable is a table of the scene read: one round, by name ns/op and allocs/op.
func readTable(callers int, samples map[string][2]float64) table {
	t := table{scene: scene.Read, callers: callers}
	for _, c := range contender.All {
		if v, ok := samples[c.Name]; ok {
			t.rows = append(t.rows, row{contender: c, samples: []scene.Sample{{"ns/op": v[0], "allocs/op": v[1]}}})
		}
	}
	return t
}

func TestCheck(t *testing.T) {
	kept := map[string][2]float64{"tokenactor": {2, 0}, "aws": {60, 0}, "oauth2": {90, 0}, "limit": {0.4, 0}, "harness": {0.3, 0}}
	with := func(name string, ns, allocs float64) map[string][2]float64 {
		m := map[string][2]float64{name: {ns, allocs}}
		for n, v := range kept {
			if n != name {
				m[n] = v
			}
		}
		return m
	}
	const none = ""
	for _, test := range []struct {
		what    string
		samples map[string][2]float64
		missed  string // a part of the only missed promise at 10,000 callers
	}{
		{"all kept", kept, none},
		{"an allocation", with("tokenactor", 2, 0.01), "allocations: 0.01, want 0"},
		{"far from the limit", with("limit", 0.3, 0), "÷ limit: 6.67, want at most 6"},
		{"a rival too good", with("aws", 59, 0), "best contender ÷ tokenactor: 29.5, want at least 30"},
		{"no limit", map[string][2]float64{"tokenactor": {2, 0}, "aws": {60, 0}}, "was not measured"},
		{"no rival", map[string][2]float64{"tokenactor": {2, 0}, "limit": {1, 0}}, "was not measured"},
	} {
		var missed []string
		for _, v := range check([]table{readTable(1, kept), readTable(10_000, test.samples)}) {
			if !v.kept {
				missed = append(missed, v.text)
			}
		}
		switch {
		case test.missed == none && len(missed) > 0:
			t.Errorf("%s: missed %q, want nothing", test.what, missed)
		case test.missed != none && (len(missed) != 1 || !strings.Contains(missed[0], test.missed)):
			t.Errorf("%s: missed %q, want one with %q", test.what, missed, test.missed)
		}
	}
}

func TestCheckOfNothingIsMissed(t *testing.T) {
	var shown strings.Builder
	if writeVerdicts(&shown, check(nil)) {
		t.Error("a check of no measurements passed")
	}
	for _, want := range []string{"MISSED  read, 1 caller: not measured", "MISSED  read, 10,000 callers: not measured"} {
		if !strings.Contains(shown.String(), want) {
			t.Errorf("the verdicts do not show %q:\n%s", want, shown.String())
		}
	}
}
