package oauth

import (
	"context"
	"errors"
	"net"
	"net/http/httptrace"
	"sync/atomic"
)

// A progress tells how far a request got. The question matters for a refresh
// token: one that surely did not leave this machine may be sent again at once.
type progress struct {
	asked, connected, wrote atomic.Bool // hooks run on goroutines of the transport
}

// watch returns a context for the request to be watched.
func (p *progress) watch(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn:      func(string) { p.asked.Store(true) },
		GotConn:      func(httptrace.GotConnInfo) { p.connected.Store(true) },
		WroteHeaders: func() { p.wrote.Store(true) },
	})
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
