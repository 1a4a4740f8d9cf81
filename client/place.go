package client

import (
	"maps"
	"net/http"
	"net/url"
	"strings"

	"example.com/tokenactor/manager"
)

// A Place puts the token where the API looks for it. Its methods are called from
// several goroutines at once.
type Place interface {
	// Put puts token into req, a copy that is about to be sent: the request,
	// its URL and its Header may be changed, the slices within Header and
	// the Body may not. It is called again for each replay. An error ends the
	// request with that error.
	Put(req *http.Request, token *manager.Token) error
}

// PlaceFunc makes a function a Place: one that signs the request, or one for an
// API that wants the token in two headers. A request that carries an
// Authorization header already is left alone, as without a Place.
type PlaceFunc func(req *http.Request, token *manager.Token) error

// Put calls f.
func (f PlaceFunc) Put(req *http.Request, token *manager.Token) error { return f(req, token) }

// An Observer is a Place that looks at the responses too, as DPoP must: a server
// may answer with a nonce that the next proof has to carry (RFC 9449 section 9).
type Observer interface {
	Place

	// Observe is shown each response to a request that Put prepared, before
	// it is judged. It neither reads nor closes the body. It reports whether the
	// request should be sent once more with the same token; that is done
	// once per request, besides MaxReplays, and not if that is negative.
	Observe(resp *http.Response) (again bool)
}

// Header puts the bare access token into the header of that name, as in
// "X-Session-Token: …". A request that carries the header already is left alone.
func Header(name string) Place { return header(http.CanonicalHeaderKey(name)) }

// Query puts the access token into the query parameter of that name. A request
// that carries the parameter already is left alone. URLs end up in logs of
// servers and proxies: use it only for an API that knows no other place (RFC 6750
// section 2.3). On our side neither resp.Request nor an error text shows it, and
// where the server repeats it in the Location of a redirect to another host, it
// is taken out again.
func Query(name string) Place { return query(name) }

type header string

func (h header) Put(req *http.Request, token *manager.Token) error {
	req.Header[string(h)] = []string{token.AccessToken.Reveal()}
	return nil
}

type query string

func (q query) Put(req *http.Request, token *manager.Token) error {
	pair := url.QueryEscape(string(q)) + "=" + url.QueryEscape(token.AccessToken.Reveal())
	// Not Values.Encode: it sorts, and some APIs sign the query as it stands.
	if rest := q.without(req.URL.RawQuery); rest != "" {
		pair = rest + "&" + pair
	}
	req.URL.RawQuery = pair
	return nil
}

// in reports whether the raw query has the parameter.
func (q query) in(raw string) bool { return q.without(raw) != raw }

// without gives the raw query less the parameter.
func (q query) without(raw string) string {
	var kept []string
	for pair := range strings.SplitSeq(raw, "&") {
		key, _, _ := strings.Cut(pair, "=")
		if name, err := url.QueryUnescape(key); err == nil && name == string(q) {
			continue
		}
		kept = append(kept, pair)
	}
	return strings.Join(kept, "&")
}

// strip gives req without a token that the server repeated in a redirect, and
// that net/http copied into the Referer of the next hop.
func (q query) strip(req *http.Request) *http.Request {
	bare := req.WithContext(req.Context())
	target := *req.URL
	target.RawQuery = q.without(target.RawQuery)
	bare.URL = &target
	if ref, err := url.Parse(req.Header.Get("Referer")); err != nil || q.in(ref.RawQuery) {
		bare.Header = maps.Clone(req.Header)
		bare.Header.Del("Referer")
	}
	return bare
}

// carriesOwn reports whether the caller put something into the token's place. On
// a redirect hop net/http may have taken it out again, and a query parameter may
// be ours, repeated by the server; so the first request is what counts.
func (t *Transport) carriesOwn(req *http.Request) bool {
	name := "Authorization"
	switch p := t.Place.(type) {
	case header:
		name = string(p)
	case query:
		first, _ := firstRequest(req)
		return first != nil && p.in(first.URL.RawQuery)
	}
	_, own := req.Header[name]
	if req.Response != nil && !own {
		if first, _ := firstRequest(req); first != nil {
			_, own = first.Header[name]
		}
	}
	return own
}
