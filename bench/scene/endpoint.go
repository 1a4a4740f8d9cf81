package scene

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"example.com/tokenactor/bench/contender"
)

// An endpoint plays the authorization server: each token that it gives out is
// another one.
type endpoint struct {
	delay time.Duration // that of each call
	life  time.Duration // of a token, from the answer on
	down  bool          // it fails, after the delay

	calls  atomic.Int64
	begun  atomic.Pointer[chan struct{}] // closed by the next call, if there is one
	issued sync.Map                      // access token to a contender.Token
	first  atomic.Pointer[time.Time]     // the first answer since watch
}

var errDown = errors.New("scene: the endpoint is down")

func (e *endpoint) login(ctx context.Context) (contender.Token, error) {
	if err := ctx.Err(); err != nil {
		return contender.Token{}, err // such a request is not sent
	}
	n := e.calls.Add(1)
	if begunc := e.begun.Swap(nil); begunc != nil {
		close(*begunc)
	}
	wait := time.NewTimer(e.delay)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
		return contender.Token{}, ctx.Err()
	}
	if e.down {
		return contender.Token{}, errDown
	}
	now := time.Now()
	t := contender.Token{Access: fmt.Sprintf("%s-%d", accessToken, n), Expiry: now.Add(e.life)}
	e.issued.Store(t.Access, t)
	e.first.CompareAndSwap(nil, &now)
	return t, nil
}

// watch forgets the first answer, so that the next one counts.
func (e *endpoint) watch() { e.first.Store(nil) }

// began gives a channel that the next call closes.
func (e *endpoint) began() <-chan struct{} {
	c := make(chan struct{})
	e.begun.Store(&c)
	return c
}

// milliseconds is d as the metrics have it.
func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
