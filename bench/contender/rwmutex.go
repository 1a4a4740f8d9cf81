package contender

import (
	"context"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"
)

// What most programs write themselves, written well: the lock is never held over
// a login, a waiter leaves when its context ends, a rejected token is compared with
// the current one, and the expiry is compared on the monotonic clock alone, which is
// half the price of time.Now.
var rwMutex = Contender{
	Name:  "rwmutex",
	About: "by hand: sync.RWMutex, x/sync singleflight; Request.Clone, Header.Set",
	Open:  func(job Job) (any, error) { return &lockedToken{job: job}, nil },
}

type lockedToken struct {
	job    Job
	flight singleflight.Group

	mu    sync.RWMutex
	token *heldToken
}

func (l *lockedToken) Token(ctx context.Context) (*heldToken, error) { return l.Renew(ctx, nil) }

// Renew gives a token that is not the rejected one.
func (l *lockedToken) Renew(ctx context.Context, rejected *heldToken) (*heldToken, error) {
	l.mu.RLock()
	token := l.token
	l.mu.RUnlock()
	if token != rejected && time.Until(token.Expiry) > l.job.Skew {
		return token, nil
	}
	resc := l.flight.DoChan("", func() (any, error) { return l.refresh(token) })
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

// refresh replaces that token, unless a flight that has just ended did.
func (l *lockedToken) refresh(old *heldToken) (any, error) {
	l.mu.RLock()
	token := l.token
	l.mu.RUnlock()
	if token != old {
		return token, nil
	}
	t, err := l.job.Login(context.Background())
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

func (l *lockedToken) Request(ctx context.Context, send Send) error {
	return heldRequest(ctx, l.Renew, send)
}

func (l *lockedToken) Transport(base http.RoundTripper) (http.RoundTripper, error) {
	return &handTransport{l.Token, base}, nil
}
