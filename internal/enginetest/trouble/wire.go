//go:build unix

package trouble

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
)

// A Wire is what all connections of a client go through. It counts round trips, can be
// cut, and can be paused, as all that a process sends and reads is when it is stopped.
// The zero value is ready.
type Wire struct {
	trips atomic.Int64

	mu     sync.Mutex
	conns  map[*tapped]struct{}
	broken bool
	gone   chan struct{} // nil: not paused; closed when it goes on
}

var errCut = errors.New("the wire is cut")

// Dial connects by TCP, and counts as a round trip each read that follows a write.
func (w *Wire) Dial(ctx context.Context, _, addr string) (net.Conn, error) {
	return w.dial(ctx, addr, true)
}

// DialUncounted connects by TCP for a protocol that has several requests on one
// connection; they are counted by Trip.
func (w *Wire) DialUncounted(ctx context.Context, addr string) (net.Conn, error) {
	return w.dial(ctx, addr, false)
}

// Trip counts a round trip.
func (w *Wire) Trip() { w.trips.Add(1) }

func (w *Wire) dial(ctx context.Context, addr string, counted bool) (net.Conn, error) {
	w.pass()
	w.mu.Lock()
	broken := w.broken
	w.mu.Unlock()
	if broken {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errCut}
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	t := &tapped{Conn: conn, wire: w, counted: counted}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conns == nil {
		w.conns = make(map[*tapped]struct{})
	}
	w.conns[t] = struct{}{}
	return t, nil
}

// Cut closes all connections and lets nobody connect until Mend.
func (w *Wire) Cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = true
	for c := range w.conns {
		c.Conn.Close()
	}
	clear(w.conns)
}

// Mend ends a Cut.
func (w *Wire) Mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = false
}

func (w *Wire) pause() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gone = make(chan struct{})
}

func (w *Wire) resume() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.gone != nil {
		close(w.gone)
	}
	w.gone = nil
}

func (w *Wire) pass() {
	w.mu.Lock()
	gone := w.gone
	w.mu.Unlock()
	if gone != nil {
		<-gone
	}
}

type tapped struct {
	net.Conn
	wire    *Wire
	counted bool
	asked   atomic.Bool
}

func (t *tapped) Write(b []byte) (int, error) {
	t.wire.pass()
	t.asked.Store(true)
	return t.Conn.Write(b)
}

func (t *tapped) Read(b []byte) (int, error) {
	n, err := t.Conn.Read(b)
	t.wire.pass()
	if n > 0 && t.asked.Swap(false) && t.counted {
		t.wire.Trip()
	}
	return n, err
}

func (t *tapped) Close() error {
	t.wire.mu.Lock()
	delete(t.wire.conns, t)
	t.wire.mu.Unlock()
	return t.Conn.Close()
}
