package main

import "fmt"

// A promise is what -check holds tokenactor to in a scene. Each compares two runs
// of one round, or counts.
type promise struct {
	at    []int // the numbers of callers with which the scene must have been run
	check func(t *table) []verdict
}

// The numbers of callers at which more is promised than at others.
const (
	alone, crowd = 1, 10_000
	fewHeaders   = 4
	manyWorkers  = 1000
)

var promises = map[string]promise{
	"read":           {[]int{alone, crowd}, checkRead},
	"roundtrip":      {[]int{fewHeaders}, roundTripCheck(2)},
	"roundtrip-1500": {[]int{fewHeaders}, roundTripCheck(3)},
	"crawl":          {[]int{manyWorkers}, checkCrawl},
}

// checkRead: no allocations; at most 6 times the limit, a bare atomic load; alone
// and in a crowd the best contender takes at least 30 times as long.
func checkRead(t *table) []verdict {
	ours, bare, rivals := t.row("tokenactor"), t.row("limit"), t.rivals("ns/op")
	if ours == nil || bare == nil || len(rivals) == 0 {
		return absent("tokenactor, limit or a contender to compare with")
	}
	verdicts := []verdict{
		atMost("allocations", summarize(ours.values("allocs/op")).median, 0),
		atMost("tokenactor ÷ limit", t.ratio(ours, bare).median, 6),
	}
	if t.callers == alone || t.callers == crowd {
		toBest := summarize(ratios(best(rivals), ours.values("ns/op"))).median
		verdicts = append(verdicts, atLeast("best contender ÷ tokenactor", toBest, 30))
	}
	return verdicts
}

// roundTripCheck: Authorize allocates nothing; with 4 headers the Transport
// allocates 3 times, and x/oauth2 takes so many times as long.
func roundTripCheck(times float64) func(t *table) []verdict {
	return func(t *table) []verdict {
		ours, owner, theirs := t.row("tokenactor"), t.row("authorize"), t.row("oauth2")
		if ours == nil || owner == nil || theirs == nil {
			return absent("tokenactor, authorize or oauth2")
		}
		verdicts := []verdict{atMost("allocations of Authorize", summarize(owner.values("allocs/op")).median, 0)}
		if t.callers == fewHeaders {
			verdicts = append(verdicts,
				atMost("allocations", summarize(ours.values("allocs/op")).median, 3),
				atLeast("oauth2 ÷ tokenactor", t.ratio(theirs, ours).median, times))
		}
		return verdicts
	}
}

// checkCrawl: with 1,000 workers a request takes at most 1.03 times the CPU time
// of a bare client's. The noise stands beside it, for it can be greater than that.
func checkCrawl(t *table) []verdict {
	if t.callers != manyWorkers {
		return nil
	}
	ours, bare := t.row("tokenactor"), t.row("harness")
	if ours == nil || bare == nil {
		return absent("tokenactor or harness")
	}
	v := atMost("CPU per request, tokenactor ÷ bare client", t.ratio(ours, bare).median, 1.03)
	noise := t.noise()
	v.text += fmt.Sprintf(" (tokenactor ÷ itself: %s, %s – %s)", digits(noise.median), digits(noise.min), digits(noise.max))
	return []verdict{v}
}
