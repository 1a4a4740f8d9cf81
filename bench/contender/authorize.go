package contender

import (
	"net/http"

	"example.com/tokenactor/client"
)

// For requests that are the caller's own: no copy, and no replay. As a
// RoundTripper, which it must not be elsewhere, so that the scenes can run it.
var authorize = Contender{
	Name:      "authorize",
	About:     "client.Authorize by the owner of the request; no replay",
	Module:    "example.com/tokenactor",
	Yardstick: true,
	Open: func(job Job) (any, error) {
		m, err := manage(job)
		return &owner{m}, err
	},
}

// An owner hides the reads of tokenactor.
type owner struct{ managed *managed }

func (o *owner) Close() error { return o.managed.Close() }

func (o *owner) Transport(base http.RoundTripper) (http.RoundTripper, error) {
	credential := o.managed.Credential
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		if _, err := client.Authorize(req.Context(), credential, req); err != nil {
			return nil, err
		}
		return base.RoundTrip(req)
	}), nil
}
