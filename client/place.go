package client

import (
	"maps"
	"net/http"
	"net/url"
	"strconv"
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
// section 2.3).
//
// On our side the parameter is in what Base gets and nowhere else, on each hop: a
// server may repeat it in the Location of a redirect, and it is taken out of the
// response before the caller sees it. So neither resp.Request nor an error text
// nor a Referer has it. A Location that leads where no token goes is freed of the
// token in any part, in any parameter, and escaped up to four times. What is not
// touched: a token that the server repeats in another parameter, or in the
// path, of a redirect to its own origin, where it may be needed; then
// resp.Request shows it, but no Referer takes it to another origin.
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

// without returns the raw query less the parameter.
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

// strip returns req, a hop that gets no token, without one that the server repeated
// and that net/http copied into the Referer. The first request's URL is the
// caller's and has none; one that the server made may have it in any guise.
func (q query) strip(req *http.Request) *http.Request {
	bare := req.WithContext(req.Context())
	target := *req.URL
	target.RawQuery = q.without(target.RawQuery)
	bare.URL = &target
	ref, err := url.Parse(req.Header.Get("Referer"))
	if before := req.Response.Request; err != nil || q.in(ref.RawQuery) || before == nil || before.Response != nil {
		bare.Header = maps.Clone(req.Header)
		bare.Header.Del("Referer")
	}
	return bare
}

// hide takes the token out of the Location of resp, the answer to sent.
func (q query) hide(t *Transport, sent *http.Request, resp *http.Response, token *manager.Token) {
	location := resp.Header.Get("Location")
	if location == "" {
		return
	}
	clean := location
	beforeFragment, fragment, _ := strings.Cut(clean, "#")
	if path, raw, ok := strings.Cut(beforeFragment, "?"); ok && q.in(raw) {
		clean = path
		if rest := q.without(raw); rest != "" {
			clean += "?" + rest
		}
		if fragment != "" {
			clean += "#" + fragment
		}
	}
	if secret := token.AccessToken.Reveal(); secret != "" && !q.leadsHome(t, sent, clean) {
		clean = without(clean, secret)
	}
	if clean != location {
		resp.Header.Set("Location", clean)
	}
}

// without returns location less the secret, in any spelling.
func without(location, secret string) string {
	// The longest spelling first, so that of none a part stays.
	once, path := url.QueryEscape(secret), url.PathEscape(secret)
	for _, spelling := range []string{url.QueryEscape(once), url.QueryEscape(path), once, path, secret} {
		location = strings.ReplaceAll(location, spelling, "")
	}
	if !holds(location, secret) {
		return location
	}
	// Escaped in a way of its own, as with small letters: then all that may
	// hold it goes.
	location, _, _ = strings.Cut(location, "#")
	location, _, _ = strings.Cut(location, "?")
	if u, err := url.Parse(location); err == nil && holds(location, secret) {
		location = (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/"}).String()
	}
	if holds(location, secret) {
		return ""
	}
	return location
}

// holds reports whether s holds the secret, escaped up to four times.
func holds(s, secret string) bool {
	for range 5 {
		if strings.Contains(s, secret) {
			return true
		}
		s = unescaped(s)
	}
	return false
}

// unescaped is url.PathUnescape that leaves alone what is no escape.
func unescaped(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if i+2 < len(s) && s[i] == '%' {
			if c, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(c))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// leadsHome reports whether a redirect from sent to location gets the token.
func (q query) leadsHome(t *Transport, sent *http.Request, location string) bool {
	u, err := sent.URL.Parse(location)
	if err != nil {
		return false
	}
	bare, err := t.trusts(&http.Request{URL: u, Response: &http.Response{Request: sent}})
	return bare == "" && err == nil
}

// carriesOwn reports whether the caller put something into the token's place. On
// a redirect hop net/http may have taken it out again, and a query parameter may
// be ours, repeated by the server; so the first request is what counts. It also
// reports whether there is a header in another spelling that is empty: see
// withoutEmpty.
func (t *Transport) carriesOwn(req *http.Request) (own, empty bool) {
	if q, ok := t.Place.(query); ok {
		first, _ := firstRequest(req)
		return first != nil && q.in(first.URL.RawQuery), false
	}
	name := t.headerName()
	own, empty = has(req.Header, name)
	if req.Response != nil && !own {
		if first, _ := firstRequest(req); first != nil {
			own, _ = has(first.Header, name)
		}
	}
	return own, empty
}

// headerName is the header that the token goes into, or that a Place of the user's own is
// taken to fill.
func (t *Transport) headerName() string {
	if p, ok := t.Place.(header); ok {
		return string(p)
	}
	return "Authorization"
}

// has reports whether h has a header of that name, whose canonical spelling it
// is: net/http sends the others as well, and servers do not tell them apart. One
// without a value, which net/http does not send, is the caller's word that there
// is to be none. One whose values are all empty is none: programs copy a header
// that is not there, or a variable that is not set. Whether there is such a one in
// another spelling is the second result.
func has(h http.Header, name string) (own, empty bool) {
	for key, values := range h {
		if len(key) != len(name) || key != name && !strings.EqualFold(key, name) {
			continue
		}
		blank := len(values) > 0
		for _, v := range values {
			blank = blank && v == ""
		}
		own = own || !blank
		empty = empty || blank && key != name
	}
	return own, empty
}

// withoutEmpty sends req without the empty headers in the token's place that are
// spelt otherwise: the token would not replace them, and the server would get two
// headers of one name.
func (t *Transport) withoutEmpty(req *http.Request) (*http.Response, error) {
	name := t.headerName()
	clean := req.WithContext(req.Context())
	clean.Header = maps.Clone(req.Header)
	maps.DeleteFunc(clean.Header, func(key string, _ []string) bool {
		return key != name && strings.EqualFold(key, name)
	})
	resp, err := t.RoundTrip(clean)
	if resp == nil {
		return resp, err
	}
	if reason := Reason(resp); reason != nil {
		return because(resp, req, reason), err
	}
	resp.Request = req
	return resp, err
}
