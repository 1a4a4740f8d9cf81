package scene

import (
	"context"
	"errors"
	"time"

	"example.com/tokenactor/bench/contender"
)

const (
	lateRefresh = 20 * time.Millisecond
	lateGroups  = 10
)

// Late is what the slow answers do after a storm: requests that went out with the
// old token and hear of it when a new one is there. They come in ten groups, each
// when the one before has been dealt with.
var Late = Scene{
	Name:    "late",
	About:   "so many requests get their 401 when the token has been renewed already: how many refreshes that makes",
	Metrics: []Metric{{Name: "extra_refreshes", Unit: "refreshes"}},
	Callers: []int{1000},
	Quick:   []int{1000},
	Least:   1,
	Noun:    "request",
	Rounds:  3,
	Open: func(_ context.Context, requests int) (*Stage, error) {
		return &Stage{Run: func(ctx context.Context, c contender.Contender, _ time.Duration) (s Sample, err error) {
			r, err := reject(ctx, c, lateRefresh)
			if err != nil {
				return Sample{}, err
			}
			defer func() { err = errors.Join(err, contender.Close(r.made)) }()
			var groups []*batch
			for group := range lateGroups {
				groups = append(groups, r.send(ctx, share(requests, lateGroups, group)))
			}
			err = r.send(ctx, 1).answer()
			before := r.refreshes()
			for _, group := range groups {
				err = errors.Join(err, group.answer())
			}
			return values(map[string]float64{"extra_refreshes": r.refreshes() - before}), err
		}}, nil
	},
}
