package oauth

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
)

// A progress tells how far a request got. The question matters for a refresh
// token: one that surely did not leave this machine may be sent again at once.
type progress struct {
	asked, connected, wrote atomic.Bool // hooks run on goroutines of the transport
	open                    atomic.Bool // it went out by HTTP/2 and there is no answer yet
}

// watch returns a context for the request to be watched.
func (p *progress) watch(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn:      func(string) { p.asked.Store(true) },
		GotConn:      func(httptrace.GotConnInfo) { p.connected.Store(true) },
		WroteHeaders: func() { p.wrote.Store(true) },

		WroteHeaderField: func(name string, _ []string) {
			if strings.HasPrefix(name, ":") { // only HTTP/2 has such names
				p.open.Store(true)
			}
		},
	})
}

// over makes the transport of one request of rt, which notes that an answer is there:
// http.Client asks for the body of a redirect too, and then leaves it alone.
func (p *progress) over(rt http.RoundTripper) http.RoundTripper {
	if rt == nil {
		rt = http.DefaultTransport
	}
	return noted{rt, p}
}

type noted struct {
	http.RoundTripper
	progress *progress
}

func (n noted) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := n.RoundTripper.RoundTrip(req)
	if err != nil {
		return resp, err
	}
	n.progress.open.Store(false)
	if _, err := req.URL.Parse(resp.Header.Get("Location")); err != nil {
		resp.Header.Del("Location") // http.Client would make an error of the whole answer
	}
	return resp, nil
}

var errSentOnce = errors.New("the server broke the request off, and it is not sent twice")

// body gives the body of the request for one more send by the transport. net/http
// sends again whenever the server ends a stream of HTTP/2 with PROTOCOL_ERROR, which
// does not say that nothing was read. Of HTTP/1.1 it sends a POST again only when it
// found a kept connection closed and wrote no byte, which is sound and happens often.
func (p *progress) body(form string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) {
		if p.open.Load() {
			return nil, errSentOnce
		}
		return io.NopCloser(strings.NewReader(form)), nil
	}
}

// notSent reports whether a request that ended in err surely did not leave. The
// kind of err alone would not tell: a timeout while dialing and one while reading
// are the same error, and so are a TLS alert before and after the request. So the
// first question is whether a transport that tells its steps ever had a connection,
// TLS included. One that does not tell is believed when it says that a dial failed.
func (p *progress) notSent(err error) bool {
	if p.asked.Load() && !p.connected.Load() {
		return true
	}
	op, ok := errors.AsType[*net.OpError](err)
	return ok && !p.wrote.Load() && (op.Op == "dial" || op.Op == "proxyconnect")
}
