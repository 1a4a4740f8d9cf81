package client

import (
	"context"
	"maps"
	"net/http"

	"example.com/tokenactor/internal/netorigin"
	"example.com/tokenactor/manager"
)

// Authorize puts a token of source into the Authorization header of req, which
// the caller owns, over any that is there in this spelling, and returns the token, so that a 401
// can be answered by source.Renew(ctx, token). It looks at neither Hosts nor
// redirects: req goes where its caller means it to go, but for plain http to
// another machine, which is an error: put token.Authorization() into the header
// yourself if that is meant. It allocates nothing if req.Header has room. ctx
// bounds the wait for a token; any other error is the source's.
func Authorize(ctx context.Context, source Source, req *http.Request) (*manager.Token, error) {
	if req.URL != nil && req.URL.Scheme != "https" {
		to, err := targetOf(req)
		if err == nil {
			err = to.encrypted("put Token.Authorization into the header yourself")
		}
		if err != nil {
			return nil, err
		}
	}
	token, err := source.Token(ctx)
	if err != nil {
		return nil, err
	}
	if req.Header == nil {
		req.Header = make(http.Header, 1)
	}
	req.Header["Authorization"] = token.Authorization()
	return token, nil
}

// authorized returns a copy of req that carries the token. Request.Clone copies
// every header value, trailer and URL; here only the map that changes is copied.
func (t *Transport) authorized(req *http.Request, token *manager.Token) (*http.Request, error) {
	sent := dialable(req)
	if sent == req {
		sent = req.WithContext(req.Context())
	}
	sent.Header = withRoom(req.Header)
	if t.Jar != nil {
		t.withCookies(sent)
	}
	if t.Place == nil {
		sent.Header["Authorization"] = token.Authorization()
		return sent, nil
	}
	target := *sent.URL
	sent.URL = &target
	return sent, t.Place.Put(sent, token)
}

// dialable returns req, or where a host in it is not ASCII a copy that names the
// host as net/http dials it. net/http itself uses two names if IDNA maps letters
// of it, as capitals or U+212A: in the Host header, in the request line for a
// proxy and in its pool of HTTP/2 connections they are not mapped. So a proxy
// would be asked for another host than the one whose origin was looked at, and
// over HTTP/2 the request would dial again and again without an end.
func dialable(req *http.Request) *http.Request {
	if netorigin.ASCII(req.URL.Host) && (req.Host == req.URL.Host || netorigin.ASCII(req.Host)) {
		return req // as nearly always
	}
	url, host := netorigin.HostHeader(req.URL.Host), netorigin.HostHeader(req.Host)
	sent := req.WithContext(req.Context())
	target := *req.URL
	target.Host = url
	sent.URL, sent.Host = &target, host
	return sent
}

// withRoom copies h so that one more key fits. maps.Clone is the fastest way by
// far: it copies the map's memory as it is, with the room that is in it. Of the
// usual sizes only eight keys have none, one full block; a ninth would make two
// copies of it.
func withRoom(h http.Header) http.Header {
	if h != nil && len(h) != 8 {
		return maps.Clone(h)
	}
	c := make(http.Header, len(h)+1)
	maps.Copy(c, h)
	return c
}
