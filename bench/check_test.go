package main

import (
	"strings"
	"testing"

	"example.com/tokenactor/bench/contender"
	"example.com/tokenactor/bench/scene"
)

// fakeTable is a table of one round: by name the first metric of the scene, and
// the allocations. The second run of tokenactor was 1.25 times the first.
func fakeTable(s scene.Scene, callers int, samples map[string][2]float64) table {
	t := table{scene: s, callers: callers}
	metric := s.Metrics[0].Name
	for _, c := range contender.All {
		if v, ok := samples[c.Name]; ok {
			t.rows = append(t.rows, row{contender: c, samples: []scene.Sample{{metric: v[0], "allocs/op": v[1]}}})
		}
	}
	again := samples[t.rows[0].contender.Name][0] * 1.25
	t.again = row{contender: t.rows[0].contender, samples: []scene.Sample{{metric: again}}}
	return t
}

func TestCheck(t *testing.T) {
	reads := map[string][2]float64{"tokenactor": {2, 0}, "aws": {60, 0}, "oauth2": {90, 0}, "limit": {0.4, 0}, "harness": {0.3, 0}}
	trips := map[string][2]float64{"tokenactor": {400, 3}, "oauth2": {1200, 7}, "google": {300, 7}, "authorize": {30, 0}}
	crawls := map[string][2]float64{"tokenactor": {51.5, 0}, "harness": {50, 0}}
	const nothing = ""
	for _, test := range []struct {
		scene   scene.Scene
		callers int
		samples map[string][2]float64
		name    string // whose numbers are others
		ns      float64
		allocs  float64
		missed  string // a part of the only missed promise
	}{
		{scene.Read, 10_000, reads, "harness", 0.3, 0, nothing},
		{scene.Read, 10_000, reads, "tokenactor", 2, 0.01, "allocations: 0.01, want 0"},
		{scene.Read, 10_000, reads, "limit", 0.3, 0, "÷ limit: 6.67, want at most 6"},
		{scene.Read, 10_000, reads, "aws", 59, 0, "best contender ÷ tokenactor: 29.5, want at least 30"},
		{scene.Read, 10_000, map[string][2]float64{"aws": {60, 0}}, "tokenactor", 2, 0, "limit or a contender to compare with was not measured"},
		{scene.Read, 10_000, map[string][2]float64{"limit": {1, 0}}, "tokenactor", 2, 0, "was not measured"},
		{scene.RoundTrip, 4, trips, "oauth2", 800, 7, nothing},
		{scene.RoundTrip, 4, trips, "oauth2", 790, 7, "roundtrip, 4 headers: oauth2 ÷ tokenactor: 1.98, want at least 2"},
		{scene.RoundTrip, 4, trips, "tokenactor", 400, 4, "allocations: 4.00, want at most 3"},
		{scene.RoundTrip, 4, trips, "authorize", 400, 1, "allocations of Authorize: 1.00, want 0"},
		{scene.RoundTrip, 4, map[string][2]float64{"oauth2": {1200, 7}}, "tokenactor", 400, 3, "was not measured"},
		{scene.RoundTripLong, 4, trips, "oauth2", 1200, 7, nothing},
		{scene.RoundTripLong, 4, trips, "oauth2", 1190, 7, "roundtrip-1500, 4 headers: oauth2 ÷ tokenactor: 2.98, want at least 3"},
		{scene.Crawl, 1000, crawls, "harness", 50, 0, nothing},
		{scene.Crawl, 1000, crawls, "harness", 49, 0, "bare client: 1.05, want at most 1.03 (tokenactor ÷ itself: 1.25, 1.25 – 1.25)"},
		{scene.Crawl, 1000, map[string][2]float64{"limit": {1, 0}}, "tokenactor", 2, 0, "was not measured"},
	} {
		samples := map[string][2]float64{test.name: {test.ns, test.allocs}}
		for name, v := range test.samples {
			if name != test.name {
				samples[name] = v
			}
		}
		tables := []table{fakeTable(test.scene, test.callers, samples)}
		if test.scene.Name == "read" {
			tables = append(tables, fakeTable(scene.Read, 1, reads))
		}
		var missed []string
		for _, v := range check([]scene.Scene{test.scene}, tables) {
			if !v.kept {
				missed = append(missed, v.text)
			}
		}
		switch {
		case test.missed == nothing && len(missed) > 0:
			t.Errorf("%s, %s %v and %v: missed %q, want nothing", test.scene.Name, test.name, test.ns, test.allocs, missed)
		case test.missed != nothing && (len(missed) != 1 || !strings.Contains(missed[0], test.missed)):
			t.Errorf("%s, %s %v and %v: missed %q, want one with %q", test.scene.Name, test.name, test.ns, test.allocs, missed, test.missed)
		}
	}
}

func TestEverySceneHasAPromise(t *testing.T) {
	for _, s := range scene.All {
		if p := promises[s.Name]; p.check == nil || len(p.at) == 0 {
			t.Errorf("-check of the scene %s would look at nothing", s.Name)
		}
	}
}

// What was asked for and not measured is missed; what was not asked for is not
// looked at.
func TestCheckOfNothingIsMissed(t *testing.T) {
	var shown strings.Builder
	if writeVerdicts(&shown, check(scene.All, nil)) {
		t.Error("a check of no measurements passed")
	}
	for _, want := range []string{
		"MISSED  read, 1 caller: not measured", "MISSED  read, 10,000 callers: not measured",
		"MISSED  roundtrip, 4 headers: not measured", "MISSED  roundtrip-1500, 4 headers: not measured",
		"MISSED  crawl, 1,000 workers: not measured",
	} {
		if !strings.Contains(shown.String(), want) {
			t.Errorf("the verdicts do not show %q:\n%s", want, shown.String())
		}
	}
	if got := check([]scene.Scene{scene.Crawl}, nil); len(got) != 1 {
		t.Errorf("a check of crawl alone gives %v, want one verdict", got)
	}
}
