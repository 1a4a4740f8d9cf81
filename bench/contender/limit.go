package contender

import (
	"context"
	"sync/atomic"
)

// No expiry, no error, no refresh: what a shared token costs at the very least.
var limit = Contender{
	Name:      "limit",
	About:     "a bare atomic load, which never refreshes",
	Yardstick: true,
	Open: func(login Login) (any, error) {
		t, err := login(context.Background())
		if err != nil {
			return nil, err
		}
		l := new(bareLoad)
		l.token.Store(&t)
		return l, nil
	},
}

type bareLoad struct{ token atomic.Pointer[Token] }

func (l *bareLoad) Reads(_ context.Context, n int) (string, error) {
	var token *Token
	for range n {
		token = l.token.Load()
	}
	return token.Access, nil
}
