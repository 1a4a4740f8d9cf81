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

// A Requester is a contender that can be told of a 401.
type Requester interface {
	// Request does what a program does for one request: it gets a token, sends
	// the request, and where the server rejects the token gets another one and
	// sends once more. Any number of goroutines call it.
	Request(ctx context.Context, send contender.Send) error
}

// rejected is a contender among whose callers some are on their way with its first
// token, of which their server will say 401.
type rejected struct {
	endpoint endpoint
	made     any
	sender   Requester
}

// reject sets the contender up with its first token.
func reject(ctx context.Context, c contender.Contender, delay time.Duration) (*rejected, error) {
	r := &rejected{endpoint: endpoint{delay: delay, life: time.Hour}}
	made, err := c.Open(contender.Job{Login: r.endpoint.login, Skew: skew})
	if err != nil {
		return nil, err
	}
	r.made = made
	r.sender, err = as[Requester](made, "nothing in it takes a rejected token back")
	if err == nil {
		err = r.sender.Request(ctx, func(string) bool { return true })
	}
	if err == nil && r.endpoint.calls.Load() != 1 {
		err = fmt.Errorf("%d logins for the first token, want 1", r.endpoint.calls.Load())
	}
	if err != nil {
		return nil, errors.Join(err, contender.Close(made))
	}
	return r, nil
}

// refreshes are the calls of the endpoint since the first token.
func (r *rejected) refreshes() float64 { return float64(r.endpoint.calls.Load() - 1) }

// A batch is requests that the server will answer at once.
type batch struct {
	answerc chan struct{} // closed when it answers
	done    sync.WaitGroup
	last    atomic.Pointer[time.Time] // when a request was sent again

	mu  sync.Mutex
	err error
}

// send starts so many requests, with contexts of their own, and returns when all
// are on their way with the first token.
func (r *rejected) send(ctx context.Context, requests int) *batch {
	b := &batch{answerc: make(chan struct{})}
	var underway sync.WaitGroup
	underway.Add(requests)
	for range requests {
		b.done.Go(func() {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			sent, old := 0, ""
			err := r.sender.Request(ctx, func(access string) bool {
				if sent++; sent > 1 {
					now := time.Now()
					b.last.Store(&now)
					return access != old
				}
				old = access
				underway.Done()
				<-b.answerc
				return false
			})
			if err == nil && sent != 2 {
				err = fmt.Errorf("a rejected request was sent %d times, want twice", sent)
			}
			if err != nil {
				b.mu.Lock()
				defer b.mu.Unlock()
				b.err = errors.Join(b.err, err)
			}
		})
	}
	underway.Wait()
	return b
}

// answer rejects the first token of all, and waits until they are done.
func (b *batch) answer() error {
	close(b.answerc)
	b.done.Wait()
	return b.err
}
