package contender

import (
	"context"
	"net/http"
	"sync/atomic"
)

// No expiry, no error, no refresh: what a shared token costs at the very least. A
// header set in place changes a request that is its caller's, which a RoundTripper
// must not do.
var limit = Contender{
	Name:      "limit",
	About:     "a bare atomic load, which never refreshes; its header set in place, which is not allowed",
	Yardstick: true,
	Open: func(login Login) (any, error) {
		t, err := login(context.Background())
		if err != nil {
			return nil, err
		}
		l := &bareLoad{header: []string{"Bearer " + t.Access}}
		l.token.Store(&t)
		return l, nil
	},
}

type bareLoad struct {
	token  atomic.Pointer[Token]
	header []string
}

func (l *bareLoad) Reads(_ context.Context, n int) (string, error) {
	var token *Token
	for range n {
		token = l.token.Load()
	}
	return token.Access, nil
}

func (l *bareLoad) Transport(base http.RoundTripper) (http.RoundTripper, error) {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		req.Header["Authorization"] = l.header
		return base.RoundTrip(req)
	}), nil
}
