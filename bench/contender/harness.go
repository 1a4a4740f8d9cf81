package contender

import (
	"context"
	"net/http"
)

// The benchmark's own part of every number: the loop, and the start and the end
// of the callers.
var harness = Contender{
	Name:      "harness",
	About:     "the loop alone, without a token: what the benchmark itself costs",
	Yardstick: true,
	Cannot: map[string]string{
		"outage": "it needs no token",
		"cancel": "it needs no token",
	},
	Open: func(job Job) (any, error) {
		t, err := job.Login(context.Background())
		return &emptyLoop{t.Access}, err
	},
}

type emptyLoop struct{ access string }

func (e *emptyLoop) Reads(_ context.Context, n int) (string, error) {
	for range n { // the compiler keeps an empty loop
	}
	return e.access, nil
}

func (e *emptyLoop) Transport(base http.RoundTripper) (http.RoundTripper, error) { return base, nil }
