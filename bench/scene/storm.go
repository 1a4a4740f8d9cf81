package scene

import (
	"context"
	"errors"
	"runtime"
	"time"

	"example.com/tokenactor/bench/contender"
)

// stormRefresh is long enough for all callers to be waiting when it ends.
const stormRefresh = 60 * time.Millisecond

// Storm is a token revoked under all requests that carry it. The last is awake when
// its request is sent again, counted from the endpoint's first answer.
var Storm = Scene{
	Name:    "storm",
	About:   "so many requests get a 401 at once, and a refresh takes 60 ms: how many there are, and when the last request goes on",
	Metrics: []Metric{{Name: "refreshes", Unit: "refreshes"}, {Name: "last_awake_ms", Unit: "ms"}},
	Ratio:   "last_awake_ms",
	Callers: []int{1000, 10_000},
	Quick:   []int{1000},
	Least:   1,
	Noun:    "caller",
	Rounds:  3,
	Open: func(_ context.Context, callers int) (*Stage, error) {
		return &Stage{Run: func(ctx context.Context, c contender.Contender, _ time.Duration) (s Sample, err error) {
			r, err := reject(ctx, c, stormRefresh)
			if err != nil {
				return Sample{}, err
			}
			defer func() { err = errors.Join(err, contender.Close(r.made)) }()
			requests := r.send(ctx, callers)
			runtime.GC()
			r.endpoint.watch()
			if err := requests.answer(); err != nil {
				return Sample{}, err
			}
			v := map[string]float64{"refreshes": r.refreshes()}
			if first := r.endpoint.first.Load(); first != nil {
				v["last_awake_ms"] = milliseconds(requests.last.Load().Sub(*first))
			}
			return values(v), nil
		}}, nil
	},
}
