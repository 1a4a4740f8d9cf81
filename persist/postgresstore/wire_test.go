package postgresstore_test

import (
	"context"
	"net"
	"regexp"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgxpool"
)

// A wire is what all connections of a pool go through. It counts round trips, can be
// cut, and can be paused, as all that a process sends and reads is when it is stopped.
type wire struct {
	trips atomic.Int64 // how often something was read after something was written
	deaf  atomic.Bool  // LISTEN succeeds and does nothing, as behind a pooler

	mu    sync.Mutex
	conns map[*tapped]struct{}
	gone  chan struct{} // nil: not paused; closed when it goes on
}

func (w *wire) through(c *pgxpool.Config) {
	dial := c.ConnConfig.DialFunc
	c.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		w.pass()
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		t := &tapped{Conn: conn, wire: w}
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.conns == nil {
			w.conns = make(map[*tapped]struct{})
		}
		w.conns[t] = struct{}{}
		return t, nil
	}
}

// cut closes all connections of the moment.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for c := range w.conns {
		c.Conn.Close()
	}
	clear(w.conns)
}

func (w *wire) pause() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gone = make(chan struct{})
}

func (w *wire) resume() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.gone != nil {
		close(w.gone)
	}
	w.gone = nil
}

func (w *wire) pass() {
	w.mu.Lock()
	gone := w.gone
	w.mu.Unlock()
	if gone != nil {
		<-gone
	}
}

type tapped struct {
	net.Conn
	wire  *wire
	asked atomic.Bool
}

func (t *tapped) Write(b []byte) (int, error) {
	t.wire.pass()
	t.asked.Store(true)
	if t.wire.deaf.Load() {
		b = listen.ReplaceAll(b, []byte(`SELECT '$1'`)) // of the same length
	}
	return t.Conn.Write(b)
}

var listen = regexp.MustCompile(`LISTEN "([^"]*)"`)

func (t *tapped) Read(b []byte) (int, error) {
	n, err := t.Conn.Read(b)
	t.wire.pass()
	if n > 0 && t.asked.Swap(false) {
		t.wire.trips.Add(1)
	}
	return n, err
}
