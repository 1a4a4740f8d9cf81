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
	Open: func(login Login) (any, error) {
		t, err := login(context.Background())
		return &emptyLoop{t}, err
	},
}

type emptyLoop struct{ token Token }

func (e *emptyLoop) Reads(_ context.Context, n int) (string, error) {
	for range n { // the compiler keeps an empty loop
	}
	return e.token.Access, nil
}

func (e *emptyLoop) Transport(base http.RoundTripper) (http.RoundTripper, error) { return base, nil }
