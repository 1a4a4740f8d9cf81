package etcdstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/connectivity"
)

// grace is how long a call waits for a connection: a node that restarts, and the
// client's first try after one that failed, are not worth an error.
const grace = 2 * time.Second

// errAway ends a call when there was no connection for longer than grace. The client
// itself would hold the call back until it is connected, and all those that gathered
// go on in the same moment: etcd, and then the authorization server, would get at once
// what fell due during the absence. Told at once, each caller backs off for itself.
var errAway = errors.New("etcd is away")

// A reach says whether etcd can be reached at all: whether the client has a connection
// to any endpoint. Of a cluster without a leader it knows nothing.
type reach struct {
	client *clientv3.Client
	ended  context.Context
	end    context.CancelFunc
	once   sync.Once // begins watch
	wg     sync.WaitGroup

	mu      sync.Mutex
	present context.Context // ends when etcd is away for longer than grace
	leave   context.CancelFunc
}

func newReach(client *clientv3.Client) *reach {
	r := &reach{client: client}
	r.ended, r.end = context.WithCancel(context.Background())
	r.back()
	return r
}

// close ends the goroutine. Calls that are under way go on.
func (r *reach) close() {
	r.once.Do(func() {}) // from now on none begins
	r.end()
	r.wg.Wait()
}

// call returns the context for a call, which ends also when etcd is away. done ends it.
func (r *reach) call(ctx context.Context) (_ context.Context, done func(), err error) {
	r.once.Do(func() { r.wg.Go(r.watch) })
	r.mu.Lock()
	present := r.present
	r.mu.Unlock()
	if present.Err() != nil {
		return nil, nil, r.away()
	}
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(present, func() { cancel(r.away()) })
	return ctx, func() {
		stop()
		cancel(nil)
	}, nil
}

// away says where etcd was looked for. Why that failed the client tells only its log.
func (r *reach) away() error {
	return fmt.Errorf("%w: for %v there was no connection to %s: the client's log says why", errAway, grace, strings.Join(r.client.Endpoints(), ", "))
}

// watch keeps present true until close, or until the client is closed.
func (r *reach) watch() {
	conn := r.client.ActiveConnection()
	// An idle connection is made by the next call, which must be let through to it.
	absent := func(s connectivity.State) bool {
		return s == connectivity.Connecting || s == connectivity.TransientFailure
	}
	for state := conn.GetState(); state != connectivity.Shutdown; state = conn.GetState() {
		if !absent(state) {
			if !conn.WaitForStateChange(r.ended, state) {
				return
			}
			continue
		}
		waited, cancel := context.WithTimeout(r.ended, grace)
		for absent(state) && conn.WaitForStateChange(waited, state) {
			state = conn.GetState()
		}
		cancel()
		if !absent(state) {
			continue
		}
		r.leave()
		for absent(state) && conn.WaitForStateChange(r.ended, state) {
			state = conn.GetState()
		}
		r.back() // at the end too: what comes then has the client's own answer
		if r.ended.Err() != nil {
			return
		}
	}
}

func (r *reach) back() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.present, r.leave = context.WithCancel(context.Background())
}
