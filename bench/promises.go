package main

import (
	"fmt"
)

// A promise is what -check holds tokenactor to in a scene.
type promise struct {
	at []int // the numbers of callers with which the scene must have been run

	// counts are of what does not depend on the machine, ratios compare two runs
	// of one round. Nil: none.
	counts, ratios func(t *table, ours *row) []verdict
}

// The numbers of callers at which more is promised than at others.
const (
	alone, crowd = 1, 10_000
	fewHeaders   = 4
	manyWorkers  = 1000
	million      = 1_000_000
)

var promises = map[string]promise{
	"read":           {at: []int{alone, crowd}, counts: readCounts, ratios: readRatios},
	"roundtrip":      {at: []int{fewHeaders}, counts: roundTripCounts, ratios: roundTripRatios(2)},
	"roundtrip-1500": {at: []int{fewHeaders}, counts: roundTripCounts, ratios: roundTripRatios(3)},
	"crawl":          {at: []int{manyWorkers}, ratios: crawlRatios},
	"stall":          {at: []int{200}, counts: stallCounts, ratios: ratioTo("harness", "p99.9_us", 2)},
	"outage":         {at: []int{100}, counts: exactly(map[string]float64{"calls": 1, "deadlines_missed": 0}), ratios: ratioTo("limit", "answered_all_ms", 1.2)},
	"storm":          {at: []int{1000, 10_000}, counts: exactly(map[string]float64{"refreshes": 1}), ratios: ratioTo("limit", "last_awake_ms", 1.6)},
	"late":           {at: []int{1000}, counts: exactly(map[string]float64{"extra_refreshes": 0})},
	"cancel":         {at: []int{10}, counts: exactly(map[string]float64{"refreshes": 1})},
	"keys":           {at: []int{1000, million}, counts: keysCounts, ratios: keysRatios},
	"persist":        {at: []int{1000, million}, ratios: persistRatios},
	"simulate":       {at: []int{1000}, counts: simulateCounts},
}

// exactly: in no run another number.
func exactly(want map[string]float64) func(*table, *row) []verdict {
	return func(t *table, ours *row) []verdict {
		var verdicts []verdict
		for _, m := range t.scene.Metrics {
			if n, ok := want[m.Name]; ok {
				got := summarize(ours.values(m.Name))
				verdicts = append(verdicts, verdict{got.min == n && got.max == n, fmt.Sprintf("%s: %v to %v, want %v", m.Name, got.min, got.max, n)})
			}
		}
		return verdicts
	}
}

// ratioTo: the metric is at most so many times that of a yardstick.
func ratioTo(yardstick, metric string, most float64) func(*table, *row) []verdict {
	return func(t *table, ours *row) []verdict {
		to := t.row(yardstick)
		if to == nil {
			return absent(yardstick)
		}
		return []verdict{atMost(metric+", tokenactor ÷ "+yardstick, t.ratioOf(metric, ours, to).median, most)}
	}
}

// readCounts: no allocations.
func readCounts(_ *table, ours *row) []verdict {
	return []verdict{atMost("allocations", ours.median("allocs/op"), 0)}
}

// readRatios: at most 6 times the limit, a bare atomic load; alone and in a crowd the
// best contender takes at least 30 times as long.
func readRatios(t *table, ours *row) []verdict {
	bare, rivals := t.row("limit"), t.rivals("ns/op")
	if bare == nil || len(rivals) == 0 {
		return absent("limit or a contender to compare with")
	}
	verdicts := []verdict{atMost("tokenactor ÷ limit", t.ratio(ours, bare).median, 6)}
	if t.callers == alone || t.callers == crowd {
		toBest := summarize(ratios(best(rivals), ours.values("ns/op"))).median
		verdicts = append(verdicts, atLeast("best contender ÷ tokenactor", toBest, 30))
	}
	return verdicts
}

// roundTripCounts: Authorize allocates nothing, the Transport with 4 headers 3 times.
func roundTripCounts(t *table, ours *row) []verdict {
	owner := t.row("authorize")
	if owner == nil {
		return absent("authorize")
	}
	verdicts := []verdict{atMost("allocations of Authorize", owner.median("allocs/op"), 0)}
	if t.callers == fewHeaders {
		verdicts = append(verdicts, atMost("allocations", ours.median("allocs/op"), 3))
	}
	return verdicts
}

// roundTripRatios: with 4 headers x/oauth2 takes so many times as long.
func roundTripRatios(times float64) func(*table, *row) []verdict {
	return func(t *table, ours *row) []verdict {
		if t.callers != fewHeaders {
			return nil
		}
		theirs := t.row("oauth2")
		if theirs == nil {
			return absent("oauth2")
		}
		return []verdict{atLeast("oauth2 ÷ tokenactor", t.ratio(theirs, ours).median, times)}
	}
}

// crawlRatios: with 1,000 workers a request takes at most 1.03 times the CPU time
// of one whose header is set in place, which is what a token costs anybody: what each
// adds, by itself, to what the bare client took in the same round. Beside it stands what a
// bare client adds to a bare client: the noise.
func crawlRatios(t *table, ours *row) []verdict {
	if t.callers != manyWorkers {
		return nil
	}
	bare, inPlace := t.row("harness"), t.row("limit")
	if bare == nil || inPlace == nil {
		return absent("harness or limit")
	}
	took := func(r *row) []float64 {
		sums := r.values("added_us/request")
		for i, took := range bare.values("cpu_us/request") {
			sums[i] += took
		}
		return sums
	}
	to := func(r, yardstick *row) stat { return summarize(ratios(took(r), took(yardstick))) }
	toBare := func(r *row) stat { return summarize(ratios(took(r), bare.values("cpu_us/request"))) }
	v := atMost("CPU per request, tokenactor ÷ header in place", to(ours, inPlace).median, 1.03)
	noise := toBare(bare)
	v.text += fmt.Sprintf(" (÷ bare client: %s, the header in place: %s; a bare client twice: %s, %s – %s)",
		thousandths(toBare(ours).median), thousandths(toBare(inPlace).median), thousandths(noise.median), thousandths(noise.min), thousandths(noise.max))
	return []verdict{v}
}

func thousandths(v float64) string { return fmt.Sprintf("%.3f", v) }

// stallCounts: no renewal holds anybody up. One that does holds up all workers, so
// that fewer calls than there are workers are the machine's doing.
func stallCounts(t *table, ours *row) []verdict {
	got := summarize(ours.values("blocked_over_1ms"))
	return []verdict{
		{got.max < float64(t.callers), fmt.Sprintf("blocked_over_1ms: at most %v, want fewer than the %d that one renewal would hold up", got.max, t.callers)},
		atMost("expired_reads", ours.median("expired_reads"), 0),
	}
}

// keysCounts: the goroutines do not depend on the credentials, and those of a million
// are small.
func keysCounts(t *table, ours *row) []verdict {
	verdicts := []verdict{atMost("goroutines", summarize(ours.values("goroutines")).max, 10)}
	if t.callers == million {
		verdicts = append(verdicts, atMost("bytes/credential", ours.median("bytes/credential"), 400))
	}
	return verdicts
}

// keysRatios: among a million a read by hand costs what memory does, and a GC cycle
// no more than with x/oauth2.
func keysRatios(t *table, ours *row) []verdict {
	if t.callers != million {
		return nil
	}
	theirs, bare := t.row("oauth2"), t.row("limit")
	if theirs == nil || bare == nil {
		return absent("oauth2 or limit")
	}
	return []verdict{
		atMost("GC cycle, tokenactor ÷ oauth2", t.ratioOf("gc_ms", ours, theirs).median, 1),
		atMost("read, tokenactor ÷ limit", t.ratioOf("read_ns", ours, bare).median, 1.5),
	}
}

// persistRatios: the same engine as it comes and as it can be tuned saves less, and
// hands its records out no faster than a manager has them in use.
func persistRatios(t *table, ours *row) []verdict {
	plain, tuned := t.row("bbolt"), t.row("bbolt-tuned")
	if plain == nil || tuned == nil {
		return absent("bbolt or bbolt-tuned")
	}
	verdicts := []verdict{
		atLeast("saves/s, tokenactor ÷ bbolt", t.ratio(ours, plain).median, 7),
		atLeast("saves/s, tokenactor ÷ bbolt-tuned", t.ratio(ours, tuned).median, 1.2),
	}
	if t.callers == million {
		verdicts = append(verdicts, atMost("load, tokenactor ÷ bbolt", t.ratioOf("load_1M_s", ours, plain).median, 1.4))
	}
	return verdicts
}

// simulateCounts: jitter takes the peak down.
func simulateCounts(t *table, ours *row) []verdict {
	instep := t.row("tokenactor-unjittered")
	if instep == nil {
		return absent("tokenactor-unjittered")
	}
	return []verdict{atMost("peak, tokenactor ÷ unjittered", t.ratioOf("peak_refreshes/s", ours, instep).median, 0.2)}
}
