package tokentest

import (
	"context"
	"net"
	"net/http"
)

// Client is an http.Client that reaches the server wherever it is: in memory, after Start on
// loopback. In memory every other host is unknown. Each call makes one, for its caller to
// change.
func (s *Server) Client() *http.Client { return &http.Client{Transport: s.Transport()} }

// Transport is what Client goes through, safe for concurrent use. On loopback its idle
// connections are closed by Close.
func (s *Server) Transport() http.RoundTripper { return transport{s} }

type transport struct{ s *Server }

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if l := t.s.loopback.Load(); l != nil {
		return l.transport.RoundTrip(r)
	}
	return t.s.roundTrip(r)
}

// roundTrip calls the endpoint in memory. The API is called on the caller's own goroutine: it
// has nothing to do once the caller has left. The authorization server has.
func (s *Server) roundTrip(r *http.Request) (*http.Response, error) {
	ctx, host := r.Context(), r.URL.Hostname()
	if host != authHost && host != apiHost {
		closeBody(r)
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{
			Err: "no such host", Name: host, IsNotFound: true,
		}}
	}
	if ctx.Err() != nil {
		closeBody(r)
		return nil, context.Cause(ctx)
	}
	select {
	case <-s.closedc:
		closeBody(r)
		return nil, errRefused
	default:
	}

	serve := s.route(host, r.URL.Path)
	var a answer
	if host == apiHost {
		a = serve(r)
		closeBody(r)
		if ctx.Err() != nil {
			s.undelivered(a)
			return nil, context.Cause(ctx)
		}
	} else {
		answerc, ok := s.call(serve, r)
		if !ok {
			closeBody(r)
			return nil, errRefused
		}
		select {
		case a = <-answerc:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	if a.dead != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, a.dead
	}
	return a.response(r, s.now()), nil
}

// call serves r on a goroutine of its own, which goes on when the caller leaves; ok is false
// after Close. The channel has no buffer, so that an answer counts as delivered only when the
// caller took it.
func (s *Server) call(serve endpoint, r *http.Request) (answerc chan answer, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, false
	}
	answerc = make(chan answer)
	ctx := r.Context()
	r = r.Clone(ctx) // the caller may use its request again as soon as it has left
	s.running.Go(func() {
		a := serve(r)
		closeBody(r)
		select {
		case answerc <- a:
		case <-ctx.Done():
			s.undelivered(a)
		}
	})
	return answerc, true
}

func closeBody(r *http.Request) {
	if r.Body != nil {
		r.Body.Close()
	}
}
