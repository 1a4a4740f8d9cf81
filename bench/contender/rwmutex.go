package contender

import (
	"context"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// What most programs write themselves, written well: the lock is never held over
// a login, a waiter leaves when its context ends, and the expiry is compared on
// the monotonic clock alone, which is half the price of time.Now.
var rwMutex = Contender{
	Name:  "rwmutex",
	About: "by hand: sync.RWMutex, x/sync singleflight; Request.Clone, Header.Set",
	Open:  func(login Login) (any, error) { return &lockedToken{login: login}, nil },
}

type lockedToken struct {
	login  Login
	flight singleflight.Group

	mu    sync.RWMutex
	token *heldToken
}

func (l *lockedToken) Token(ctx context.Context) (*heldToken, error) {
	l.mu.RLock()
	token := l.token
	l.mu.RUnlock()
	if token != nil && time.Until(token.Expiry) > skew {
		return token, nil
	}
	resc := l.flight.DoChan("", l.refresh)
	select {
	case res := <-resc:
		if res.Err != nil {
			return nil, res.Err
		}
		return res.Val.(*heldToken), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *lockedToken) refresh() (any, error) {
	t, err := l.login(context.Background())
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.token = hold(t)
	return l.token, nil
}

func (l *lockedToken) Reads(ctx context.Context, n int) (string, error) {
	var token *heldToken
	for range n {
		var err error
		if token, err = l.Token(ctx); err != nil {
			return "", err
		}
	}
	return token.Access, nil
}

func (l *lockedToken) Transport(base http.RoundTripper) (http.RoundTripper, error) {
	return &handTransport{l.Token, base}, nil
}
