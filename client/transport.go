package client

import (
	"context"
	"errors"
	"net/http"
)

// A Transport is an http.RoundTripper that sends requests with a token of
// Source and, when the token is rejected, renews it and sends the request again.
// Fill in Source; the zero value of every other field is the default it names.
// It may be used by any number of goroutines at once. Its only state is what OnBare
// was told; it must not be copied, and its fields not be changed, once it is in use.
type Transport struct {
	// Source gives the tokens. Required.
	Source Source

	// Base sends the requests. Nil: http.DefaultTransport, which keeps two
	// idle connections per host; a crawler wants more of them.
	Base http.RoundTripper

	// Place is where the token goes. Nil: the Authorization header, in the
	// token's own type (RFC 6750 section 2.1).
	Place Place

	// Hosts are the only hosts that may see the token, redirects or not; set
	// it where URLs come from outside. An entry is "api.example.com" (port
	// 443), "api.example.com:8443", or an origin: "http://intranet.example.com",
	// which permits plain http, and https on the same host if the port is 80.
	// Without such an entry plain http gets no token, but on a loopback host.
	// Names may be in Unicode or in punycode, whichever the URL has. Where
	// Request.Host or URL.Opaque names another host, both must be entries.
	// An entry that is none of these is an error of the requests that look at
	// it. Nil: the host of each first request, and no other that it redirects
	// to; plain http to another machine is an error. Empty but not nil: no host.
	Hosts []string

	// Jar is that of the http.Client around, where cookies change with a login or
	// with a 401: an http.Client asks its jar before the Transport has a token, and
	// never sees the response to a request that is sent again. With Jar set, cookies
	// of a rejection go into it, and each request is sent with those that it holds by
	// then, in place of others of the same names; one that it no longer holds stays
	// in a request that came with it. Nil: the cookies stay those that
	// the request came with.
	Jar http.CookieJar

	// OnBare, if not nil, is told of requests that are sent without a token:
	// where to, as in "https://api.example.com:8443", and why. It is called
	// once for each origin and reason, never for each request, for the
	// first 4,096 pairs, before that request is sent and on the caller's
	// goroutine; calls may come from several goroutines at once. Requests of
	// the credential's own refresh are not told.
	OnBare func(origin string, reason BareReason)

	// Rejected says whether a response rejects the token it was asked with.
	// It is shown every response, may read the body if it puts it back, and
	// must not close it. Nil: InvalidToken, to which a 403 is no rejection.
	Rejected func(*http.Response) bool

	// MaxReplays is how often a rejected request is sent again, each time
	// with a renewed token. 0: once. Negative: never, but a rejection still
	// renews the token for the next request. A resource that rejects a fresh
	// token gets no further replay, however many are left, unless it accepted
	// that very token before; one that is known for that gets none (see Witness).
	// Those that Policy.Settle asks for, with the same token, do not count.
	MaxReplays int

	// ReplayBuffer is how many bytes of a request body are kept in memory for
	// a replay, where the body has neither GetBody nor Seek. 0: 64 KiB.
	// Negative: none. It holds for each request in flight.
	ReplayBuffer int64

	bare noticed // what OnBare was told
}

// RoundTrip implements http.RoundTripper. It never changes req.
//
// The error is that of Source, of Place, or of Base, or says which entry of Hosts
// is none, that the token would go out unencrypted, or that Base went to another
// origin by itself; no text of it holds the token. When the renewal fails or the body
// cannot be sent again, the response is the one that rejected the token, and the error
// nil. Its body is whole if it has up to 64 KiB and takes no more than a second; else it
// may end with ErrBodyCut. A request body that is not the same at the replay breaks it
// off, with an error that says so. When the request's context ends while it waits for a
// token or a renewal, the error is context.Cause of it.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if t.Source == nil {
		closeBody(req)
		return nil, errors.New("client: Transport.Source is nil: set it to a *manager.Credential")
	}
	if req.URL == nil {
		closeBody(req)
		return nil, errors.New("client: Request.URL is nil")
	}
	ctx := req.Context()
	own, empty := t.carriesOwn(req)
	switch {
	case own:
		return t.sendBare(req, BareOwnAuthorization)
	case empty:
		return t.withoutEmpty(req)
	case t.refreshing(ctx):
		return t.sendBare(req, "")
	}
	if bare, err := t.trusts(req); err != nil {
		closeBody(req)
		return nil, err
	} else if bare != "" {
		return t.sendBare(req, bare)
	}
	token, err := t.Source.Token(ctx)
	if err == nil && token == nil {
		err = errNoToken
	}
	if err != nil {
		closeBody(req)
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			err = context.Cause(ctx)
		}
		return nil, err
	}

	begun := t.begun()
	body := t.resendable(req)
	resp, err := t.send(req, body.first(req), token)
	if err == nil && t.Rejected == nil && t.Place == nil && resp.StatusCode != http.StatusUnauthorized {
		t.accepted(req, token, resp, begun)
		body.release()
		return resp, nil
	}
	if err == nil {
		resp, err = t.settle(req, body, token, resp, begun)
	}
	body.release()
	return resp, err
}

// sendBare sends req without a token and without judging the response. The reason
// is "" where that is nothing to be noticed.
func (t *Transport) sendBare(req *http.Request, reason BareReason) (*http.Response, error) {
	if reason != "" {
		t.notice(req, reason)
	}
	sent := dialable(req)
	if q, ok := t.Place.(query); ok && req.Response != nil && reason != BareOwnAuthorization {
		sent = q.strip(sent)
	}
	resp, err := t.base().RoundTrip(sent)
	if resp != nil {
		resp.Request = req
	}
	return resp, err
}

// CloseIdleConnections closes those of Base, if it can.
func (t *Transport) CloseIdleConnections() {
	if c, ok := t.base().(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

func (t *Transport) base() http.RoundTripper {
	if t.Base == nil {
		return http.DefaultTransport
	}
	return t.Base
}
