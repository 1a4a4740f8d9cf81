package tokentest

import (
	"fmt"
	"net"
	"net/http"
	"sync"
)

// loopback is the server's real listener, and a client's connections to it.
type loopback struct {
	url       string
	server    *http.Server
	transport *http.Transport
	conns     sync.WaitGroup
	servedc   chan struct{} // closed when the listener's goroutine has ended
}

func listen(h http.Handler) (*loopback, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("tokentest: Start: %w", err)
	}
	l := &loopback{
		url: "http://" + listener.Addr().String(),
		transport: &http.Transport{
			// As many as any test has workers: with the default of 2, a thousand
			// workers measure how fast connections open.
			MaxIdleConnsPerHost: 4096,
		},
		servedc: make(chan struct{}),
	}
	l.server = &http.Server{Handler: h, ConnState: l.count}
	go func() {
		defer close(l.servedc)
		l.server.Serve(listener) // always ErrServerClosed: nobody else closes the listener
	}()
	return l, nil
}

// count lets close wait for the connections' goroutines, which http.Server.Close does not,
// and without the sleeps of Shutdown.
func (l *loopback) count(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		l.conns.Add(1)
	case http.StateClosed, http.StateHijacked:
		l.conns.Done()
	}
}

func (l *loopback) close() {
	l.server.Close()
	<-l.servedc
	l.conns.Wait()
	l.transport.CloseIdleConnections()
}
