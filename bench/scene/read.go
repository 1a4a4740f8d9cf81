package scene

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/tokenactor/bench/contender"
)

// Read divides wall time by the reads of all callers together: on two cores, two
// callers who do not disturb each other halve it. Time as one caller sees it would
// grow with the number of callers whatever the contender does.
var Read = Scene{
	Name:    "read",
	About:   "a valid token, read by all callers at once: wall time ÷ all their reads",
	Metrics: []Metric{{Name: "ns/op", Unit: "ns"}, {Name: "allocs/op", Unit: "allocs"}},
	Ratio:   "ns/op",
	Callers: []int{1, 2, 100, 10_000},
	Quick:   []int{1, 100},
	Least:   1,
	Noun:    "caller",
	Longer:  1,
	Open: func(_ context.Context, callers int) (*Stage, error) {
		return &Stage{Goroutines: callers, Run: func(ctx context.Context, c contender.Contender, d time.Duration) (Sample, error) {
			r, err := NewReading(ctx, c)
			if err != nil {
				return Sample{}, err
			}
			s, err := fill(callers, d, func(n int) *Crew { return r.Crew(ctx, callers, n) })
			allocs, _ := s.eachAllocates()
			return values(map[string]float64{"ns/op": s.perCall(s.wall, time.Nanosecond), "allocs/op": allocs}), errors.Join(err, r.Close())
		}}, nil
	},
}

// A Reader is a contender that reads.
type Reader interface {
	// Reads gets the token n times, 1 or more, by the call that a user would
	// write, and returns the access token it got last. Any number of
	// goroutines call it, with a context that can end, as that of a request.
	Reads(ctx context.Context, n int) (string, error)
}

// noReads is why a contender that is no Reader cannot do a scene.
const noReads = "it has no call for a token"

// A Reading is one contender with a valid token at hand.
type Reading struct {
	subject *subject
	reader  Reader
}

// NewReading sets a new one of the contender up, with a token of one hour that
// it has read once.
func NewReading(ctx context.Context, c contender.Contender) (*Reading, error) {
	s, err := open(c, accessToken)
	if err != nil {
		return nil, err
	}
	reader, err := as[Reader](s.made, noReads)
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	r := &Reading{s, reader}
	if err := r.reads(ctx, 1); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func (r *Reading) reads(ctx context.Context, n int) error {
	got, err := r.reader.Reads(ctx, n)
	if err == nil && got != accessToken {
		err = fmt.Errorf("read the access token %q, want %q", got, accessToken)
	}
	return err
}

// Crew makes callers that share n reads.
func (r *Reading) Crew(ctx context.Context, callers, n int) *Crew {
	warm := func() { _ = r.reads(ctx, 1) } // an error comes again in the work
	return NewCrew(callers, warm, func(caller int) error {
		if part := share(n, callers, caller); part > 0 {
			return r.reads(ctx, part)
		}
		return nil
	})
}

// Close stops the contender. A second login is an error.
func (r *Reading) Close() error { return r.subject.close() }
