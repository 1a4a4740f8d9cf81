package main

import (
	"strings"
	"testing"

	"example.com/tokenactor/bench/contender"
	"example.com/tokenactor/bench/scene"
)

// measurements are what contenders did in one round, by name and metric.
type measurements map[string]map[string]float64

// fakeTable is a table of one round. The second run of its first contender was 1.25
// times the first.
func fakeTable(s scene.Scene, callers int, did measurements) table {
	t := table{scene: s, callers: callers}
	for _, c := range contender.All {
		if v, ok := did[c.Name]; ok {
			t.rows = append(t.rows, row{contender: c, samples: []scene.Sample{{Values: v}}})
		}
	}
	if ref := t.reference(); ref != nil {
		again := map[string]float64{s.Ratio: ref.samples[0].Values[s.Ratio] * 1.25}
		t.again = row{contender: ref.contender, samples: []scene.Sample{{Values: again}}}
	}
	return t
}

// with is did, but that the contender's metric is v; a contender without a metric is
// not there.
func (did measurements) with(name, metric string, v float64) measurements {
	changed := make(measurements)
	for n, values := range did {
		if n == name && metric == "" {
			continue
		}
		changed[n] = make(map[string]float64)
		for m, old := range values {
			changed[n][m] = old
		}
		if n == name {
			changed[n][metric] = v
		}
	}
	return changed
}

// kept are numbers with which each promise is kept, none of them by much.
var kept = map[string]measurements{
	"read": {"tokenactor": {"ns/op": 2, "allocs/op": 0}, "aws": {"ns/op": 60}, "oauth2": {"ns/op": 90},
		"limit": {"ns/op": 0.4}, "harness": {"ns/op": 0.3}},
	"roundtrip": {"tokenactor": {"ns/op": 400, "allocs/op": 3}, "oauth2": {"ns/op": 800}, "google": {"ns/op": 300},
		"authorize": {"allocs/op": 0}},
	"roundtrip-1500": {"tokenactor": {"ns/op": 400, "allocs/op": 3}, "oauth2": {"ns/op": 1200}, "authorize": {"allocs/op": 0}},
	"crawl": {"tokenactor": {"cpu_us/request": 60, "added_us/request": 2.01}, "limit": {"added_us/request": 0.5},
		"harness": {"cpu_us/request": 50, "added_us/request": -0.25}},
	"stall":  {"tokenactor": {"blocked_over_1ms": 199, "expired_reads": 0, "p99.9_us": 0.4}, "harness": {"p99.9_us": 0.2}},
	"outage": {"tokenactor": {"calls": 1, "deadlines_missed": 0, "answered_all_ms": 12}, "limit": {"answered_all_ms": 10}},
	"storm":  {"tokenactor": {"refreshes": 1, "last_awake_ms": 1.6}, "limit": {"last_awake_ms": 1}},
	"late":   {"tokenactor": {"extra_refreshes": 0}},
	"cancel": {"tokenactor": {"refreshes": 1, "waiter_left_ms": 30}},
	"keys": {"tokenactor": {"goroutines": 10, "bytes/credential": 400, "gc_ms": 80, "read_ns": 30},
		"oauth2": {"gc_ms": 80}, "limit": {"read_ns": 20}},
	"persist": {"tokenactor": {"saves/s": 70_000, "load_1M_s": 0.7}, "bbolt": {"saves/s": 10_000, "load_1M_s": 0.5},
		"bbolt-tuned": {"saves/s": 58_000}},
	"simulate": {"tokenactor": {"peak_refreshes/s": 200}, "tokenactor-unjittered": {"peak_refreshes/s": 1000}},
}

func TestPromisesAreKept(t *testing.T) {
	for _, s := range scene.All {
		for _, quick := range []bool{false, true} {
			for _, v := range missed(s, kept[s.Name], quick) {
				t.Errorf("%s, quick %v: missed %s", s.Name, quick, v)
			}
		}
	}
}

// missed checks one scene, with these numbers for all numbers of callers.
func missed(s scene.Scene, did measurements, quick bool) []string {
	at := promises[s.Name].at
	if quick {
		at = s.Quick
	}
	var tables []table
	for _, n := range at {
		if n == at[len(at)-1] {
			tables = append(tables, fakeTable(s, n, did))
		} else {
			tables = append(tables, fakeTable(s, n, kept[s.Name]))
		}
	}
	var texts []string
	for _, v := range check([]scene.Scene{s}, tables, quick) {
		if !v.kept {
			texts = append(texts, v.text)
		}
	}
	return texts
}

func TestPromisesAreMissed(t *testing.T) {
	const gone = ""
	for _, test := range []struct {
		scene        scene.Scene
		name, metric string
		value        float64
		want         string // a part of the only missed promise
		counts       bool   // a quick check sees it as well
	}{
		{scene.Read, "tokenactor", "allocs/op", 0.01, "allocations: 0.01, want 0", true},
		{scene.Read, "limit", "ns/op", 0.3, "÷ limit: 6.67, want at most 6", false},
		{scene.Read, "aws", "ns/op", 59, "best contender ÷ tokenactor: 29.5, want at least 30", false},
		{scene.Read, "tokenactor", gone, 0, "tokenactor was not measured", true},
		{scene.Read, "limit", gone, 0, "limit or a contender to compare with was not measured", false},
		{scene.RoundTrip, "oauth2", "ns/op", 790, "roundtrip, 4 headers: oauth2 ÷ tokenactor: 1.98, want at least 2", false},
		{scene.RoundTrip, "tokenactor", "allocs/op", 4, "allocations: 4, want at most 3", true},
		{scene.RoundTrip, "authorize", "allocs/op", 1, "allocations of Authorize: 1, want 0", true},
		{scene.RoundTrip, "oauth2", gone, 0, "was not measured", false},
		{scene.RoundTripLong, "oauth2", "ns/op", 1190, "roundtrip-1500, 4 headers: oauth2 ÷ tokenactor: 2.98, want at least 3", false},
		{scene.Crawl, "tokenactor", "added_us/request", 2.1, "want at most 1.03 (÷ bare client: 1.042, the header in place: 1.010; a bare client twice: 0.995, 0.995 – 0.995)", false},
		{scene.Crawl, "harness", "cpu_us/request", 49, "want at most 1.03", false},
		{scene.Crawl, "limit", gone, 0, "was not measured", false},
		{scene.Crawl, "harness", gone, 0, "was not measured", false},
		{scene.Stall, "tokenactor", "blocked_over_1ms", 200, "blocked_over_1ms: at most 200, want fewer than the 200", true},
		{scene.Stall, "tokenactor", "expired_reads", 1, "expired_reads: 1, want 0", true},
		{scene.Stall, "harness", "p99.9_us", 0.19, "p99.9_us, tokenactor ÷ harness: 2.11, want at most 2", false},
		{scene.Outage, "tokenactor", "calls", 2, "calls: 2 to 2, want 1", true},
		{scene.Outage, "tokenactor", "deadlines_missed", 1, "deadlines_missed: 1 to 1, want 0", true},
		{scene.Outage, "limit", "answered_all_ms", 9, "want at most 1.2", false},
		{scene.Storm, "tokenactor", "refreshes", 2, "refreshes: 2 to 2, want 1", true},
		{scene.Storm, "tokenactor", "last_awake_ms", 1.7, "÷ limit: 1.70, want at most 1.6", false},
		{scene.Late, "tokenactor", "extra_refreshes", 1, "extra_refreshes: 1 to 1, want 0", true},
		{scene.Cancel, "tokenactor", "refreshes", 0, "refreshes: 0 to 0, want 1", true},
		{scene.Keys, "tokenactor", "goroutines", 11, "goroutines: 11, want at most 10", true},
		{scene.Keys, "tokenactor", "bytes/credential", 401, "bytes/credential: 401, want at most 400", false},
		{scene.Keys, "oauth2", "gc_ms", 79, "GC cycle, tokenactor ÷ oauth2: 1.01, want at most 1", false},
		{scene.Keys, "limit", "read_ns", 19, "read, tokenactor ÷ limit: 1.58, want at most 1.5", false},
		{scene.Persist, "bbolt", "saves/s", 10_100, "÷ bbolt: 6.93, want at least 7", false},
		{scene.Persist, "bbolt-tuned", "saves/s", 59_000, "÷ bbolt-tuned: 1.19, want at least 1.2", false},
		{scene.Persist, "bbolt", "load_1M_s", 0.49, "load, tokenactor ÷ bbolt: 1.43, want at most 1.4", false},
		{scene.Simulate, "tokenactor", "peak_refreshes/s", 201, "peak, tokenactor ÷ unjittered: 0.20, want at most 0.2", true},
	} {
		did := kept[test.scene.Name].with(test.name, test.metric, test.value)
		if got := missed(test.scene, did, false); len(got) != 1 || !strings.Contains(got[0], test.want) {
			t.Errorf("%s, %s %s %v: missed %q, want one with %q", test.scene.Name, test.name, test.metric, test.value, got, test.want)
		}
		if got := missed(test.scene, did, true); (len(got) > 0) != test.counts {
			t.Errorf("quick, %s, %s %s %v: missed %q, want any: %v", test.scene.Name, test.name, test.metric, test.value, got, test.counts)
		}
	}
}

func TestEverySceneHasAPromise(t *testing.T) {
	for _, s := range scene.All {
		if p := promises[s.Name]; p.counts == nil && p.ratios == nil || len(p.at) == 0 {
			t.Errorf("-check of the scene %s would look at nothing", s.Name)
		}
	}
}

// What was asked for and not measured is missed; what was not asked for is not
// looked at.
func TestCheckOfNothingIsMissed(t *testing.T) {
	var shown strings.Builder
	if writeVerdicts(&shown, check(scene.All, nil, false)) {
		t.Error("a check of no measurements passed")
	}
	for _, want := range []string{
		"MISSED  read, 1 caller: not measured", "MISSED  read, 10,000 callers: not measured",
		"MISSED  roundtrip, 4 headers: not measured", "MISSED  crawl, 1,000 workers: not measured",
		"MISSED  keys, 1,000,000 credentials: not measured", "MISSED  late, 1,000 requests: not measured",
	} {
		if !strings.Contains(shown.String(), want) {
			t.Errorf("the verdicts do not show %q:\n%s", want, shown.String())
		}
	}
	if got := check([]scene.Scene{scene.Crawl}, nil, false); len(got) != 1 {
		t.Errorf("a check of crawl alone gives %v, want one verdict", got)
	}
}
