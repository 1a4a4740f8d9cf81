package scene

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync/atomic"
	"time"

	"example.com/tokenactor/bench/contender"
)

// Read divides wall time by the reads of all callers together: on two cores, two
// callers who do not disturb each other halve it. Time as one caller sees it would
// grow with the number of callers whatever the contender does.
var Read = Scene{
	Name:    "read",
	About:   "a valid token, read by all callers at once: wall time ÷ all their reads",
	Metrics: []Metric{{"ns/op", "ns"}, {"allocs/op", "allocs"}},
	Callers: []int{1, 2, 100, 10_000},
	Run: func(ctx context.Context, c contender.Contender, callers int, d time.Duration) (Sample, error) {
		r, err := NewReading(ctx, c)
		if err != nil {
			return nil, err
		}
		sample, err := r.measure(ctx, callers, d)
		return sample, errors.Join(err, r.Close())
	},
}

// A Reader is a contender that reads.
type Reader interface {
	// Reads gets the token n times, 1 or more, by the call that a user would
	// write, and returns the access token it got last. Any number of
	// goroutines call it, with a context that can end, as that of a request.
	Reads(ctx context.Context, n int) (string, error)
}

// A Reading is one contender with a valid token at hand.
type Reading struct {
	reader Reader
	logins atomic.Int32
}

// accessToken is of the usual size of an opaque token.
const accessToken = "an-opaque-access-token-of-the-usual-forty-odd-bytes"

// NewReading sets a new one of the contender up, with a token of one hour that
// it has read once.
func NewReading(ctx context.Context, c contender.Contender) (*Reading, error) {
	r := new(Reading)
	subject, err := c.Open(func(context.Context) (contender.Token, error) {
		r.logins.Add(1)
		return contender.Token{Access: accessToken, Expiry: time.Now().Add(time.Hour)}, nil
	})
	if err != nil {
		return nil, err
	}
	reader, ok := subject.(Reader)
	if !ok {
		return nil, errors.Join(Cannot("it has no reads"), contender.Close(subject))
	}
	r.reader = reader
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

// Crew makes callers that share n reads evenly: each does its own, so that none
// can starve unseen.
func (r *Reading) Crew(ctx context.Context, callers, n int) *Crew {
	warm := func() { _ = r.reads(ctx, 1) } // an error comes again in the work
	return NewCrew(callers, warm, func(caller int) error {
		share := n / callers
		if caller < n%callers {
			share++
		}
		if share == 0 {
			return nil
		}
		return r.reads(ctx, share)
	})
}

// Close stops the contender. More than the one login it began with is an error:
// then something else than reads was measured.
func (r *Reading) Close() error {
	err := contender.Close(r.reader)
	if n := r.logins.Load(); n != 1 {
		err = errors.Join(err, fmt.Errorf("%d logins while one token was valid, want 1", n))
	}
	return err
}

// measure tries more and more reads until a run takes about d. The runs before
// the last are the warm-up; the last but one was long enough to tell how many
// reads it takes, so that one hiccup does not pass for a full run.
func (r *Reading) measure(ctx context.Context, callers int, d time.Duration) (Sample, error) {
	idle := Idle(callers)
	for n, warm := callers, false; ; {
		runtime.GC() // nobody pays for the garbage of the one before; later it would shrink the stacks
		crew := r.Crew(ctx, callers, n)
		before := mallocs()
		took, err := crew.Run()
		allocs := float64(mallocs() - before)
		if err != nil {
			return nil, err
		}
		reading := took - idle
		if warm && reading > d*3/4 {
			return Sample{
				"ns/op": float64(took.Nanoseconds()) / float64(n),
				// A hundredth is the finest that is not the runtime's own doing.
				"allocs/op": math.Round(allocs/float64(n)*100) / 100,
			}, nil
		}
		warm = reading > d/4
		growth := float64(d) / float64(max(reading, took/10, 1)) // idle is not exact
		if !warm {
			growth = min(100, max(1.5, growth))
		}
		n = max(callers, int(float64(n)*growth))
	}
}

func mallocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}
