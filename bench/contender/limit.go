package contender

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"
)

// What a shared token costs at the very least: a read is a bare atomic load, which
// asks for no expiry; those who wait wait for one channel and their own context; a
// credential among many is a name in a map and a timer. A header set in place
// changes a request that is its caller's, which a RoundTripper must not do.
var limit = Contender{
	Name:      "limit",
	About:     "a bare atomic load, one closed channel, a map and a timer each; its header set in place, which is not allowed",
	Yardstick: true,
	Cannot:    map[string]string{"stall": "it knows of no expiry; harness is the empty call"},
	Open:      func(job Job) (any, error) { return &bareIndex{bareLoad: bareLoad{login: job.Login}}, nil },
}

type bareLoad struct {
	login  Login
	token  atomic.Pointer[Token]
	flight atomic.Pointer[flight]
}

// A bareIndex is many of them by name.
type bareIndex struct {
	bareLoad
	index map[string]*bareEntry
}

// A flight is a login under way.
type flight struct {
	donec chan struct{} // closed when it has ended
	token *Token
	err   error
}

func (l *bareLoad) Reads(ctx context.Context, n int) (string, error) {
	token := l.token.Load()
	if token == nil {
		var err error
		if token, err = l.renew(ctx, nil); err != nil {
			return "", err
		}
	}
	for range n {
		token = l.token.Load()
	}
	return token.Access, nil
}

// renew gives a token that is not the rejected one.
func (l *bareLoad) renew(ctx context.Context, rejected *Token) (*Token, error) {
	f := &flight{donec: make(chan struct{})}
	for {
		if token := l.token.Load(); token != rejected {
			return token, nil
		}
		if l.flight.CompareAndSwap(nil, f) {
			go l.fly(f, rejected)
			break
		}
		if under := l.flight.Load(); under != nil {
			f = under
			break
		}
	}
	select {
	case <-f.donec:
		return f.token, f.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *bareLoad) fly(f *flight, rejected *Token) {
	if f.token = l.token.Load(); f.token == rejected { // no other flight ended just before
		var t Token
		if t, f.err = l.login(context.Background()); f.err == nil {
			f.token = &t
			l.token.Store(&t)
		}
	}
	l.flight.Store(nil)
	close(f.donec)
}

func (l *bareLoad) Request(ctx context.Context, send Send) error {
	token, err := l.renew(ctx, nil)
	if err != nil || send(token.Access) {
		return err
	}
	if token, err = l.renew(ctx, token); err != nil {
		return err
	}
	if !send(token.Access) {
		return errRejected
	}
	return nil
}

func (l *bareLoad) Transport(base http.RoundTripper) (http.RoundTripper, error) {
	access, err := l.Reads(context.Background(), 1)
	if err != nil {
		return nil, err
	}
	header := []string{"Bearer " + access}
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		req.Header["Authorization"] = header
		return base.RoundTrip(req)
	}), nil
}

// Many fills all with the entries of a map.
func (l *bareIndex) Many(all []any) error {
	l.index = make(map[string]*bareEntry)
	for i := range all {
		e := &bareEntry{bareLoad{login: l.login}, time.AfterFunc(time.Hour, func() {})}
		l.index[keyName(i)] = e
		all[i] = e
	}
	return nil
}

// Close stops the timers.
func (l *bareIndex) Close() error {
	for _, e := range l.index {
		e.timer.Stop()
	}
	return nil
}

// A bareEntry is one of many.
type bareEntry struct {
	bareLoad
	timer *time.Timer // of its renewal
}

// Reschedule moves the timer.
func (e *bareEntry) Reschedule(_ context.Context, t Token) error {
	e.timer.Reset(time.Until(t.Expiry))
	return nil
}
