package client

import (
	"context"
	"maps"
	"net/http"

	"example.com/tokenactor/manager"
)

// Authorize puts a token of source into the Authorization header of req, which
// the caller owns, over any that is there, and returns the token, so that a 401
// can be answered by source.Renew(ctx, token). It looks at neither Hosts nor
// redirects: req goes where its caller means it to go. It allocates nothing if
// req.Header has room. ctx bounds the wait for a token; the error is the source's.
func Authorize(ctx context.Context, source Source, req *http.Request) (*manager.Token, error) {
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

// authorized gives a copy of req that carries the token. Request.Clone copies
// every header value, trailer and URL; here only the map that changes is copied.
func (t *Transport) authorized(req *http.Request, token *manager.Token) (*http.Request, error) {
	sent := req.WithContext(req.Context())
	sent.Header = withRoom(req.Header)
	if t.Place == nil {
		sent.Header["Authorization"] = token.Authorization()
		return sent, nil
	}
	target := *req.URL
	sent.URL = &target
	return sent, t.Place.Put(sent, token)
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
