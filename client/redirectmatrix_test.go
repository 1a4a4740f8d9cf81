package client_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"example.com/tokenactor/client"
)

// locations is what a server at https://api.example.com may write into Location,
// and whether that is its own origin. {query} is the query that it was asked
// with, {again} its whole URL, escaped, as for the page to come back to, {parts}
// the values of the query as a path.
var locations = []struct {
	to   string
	home bool
}{
	{"/2?{query}", true},
	{"2", true},
	{"?x=1&{query}", true},
	{"//api.example.com/2", true},
	{"https://api.example.com/2?{query}", true},
	{"HTTPS://API.EXAMPLE.COM:443/2", true},
	{"https://api.example.com:/2", true},
	{"https://\uff41pi.example.com/2", true}, // full width
	{"https://%EF%BD%81pi.example.com/2", true},
	{"https://api\u3002example\uff0ecom/2", true}, // other full stops
	{"/\\evil.example.com/2", true},               // a path, to net/url

	{"https://example.com/2?{query}", false},
	{"https://evil.example.com/2?{query}", false},
	{"https://x.api.example.com/2", false},
	{"https://api.example.com.evil.example.com/2", false},
	{"https://api.example.com@evil.example.com/2", false},
	{"https://api.example.com:443@evil.example.com/2", false},
	{"https://evil.example.com#@api.example.com/2", false},
	{"https://evil.example.com?@api.example.com/2", false},
	{"https://evil.example.com\\@api.example.com/2", false},
	{"https://api.example.com\\.evil.example.com/2", false},
	{"//evil.example.com/2", false},
	{"///evil.example.com/2", true}, // no host: a path of the same server
	{"\\\\evil.example.com/2", true},
	{"https:evil.example.com/2", false},
	{"https:///evil.example.com/2", false},
	{"https://api.example.com./2", false},
	{"https://api.example.com:8443/2", false},
	{"https://api.example.com:0443/2", false},
	{"https://api.example.com:80/2", false},
	{"http://api.example.com/2?{query}", false},
	{"http://api.example.com:443/2", false},
	{"http://intranet.example.com/2", false},
	{"https://ap\u0130.example.com/2", false}, // lowers to i by Unicode's rules only
	{"https://ap%C4%B0.example.com/2", false},
	{"https://ap\u0131.example.com/2", false},
	{"https://xn--api-tpc.example.com/2", false},
	{"https://api.example.com\u2024/2", false},
	{"https://api%2eexample.com/2", false},
	{"https://api.example.com%00.evil.example.com/2", false},
	{"https://api.example.com%2f@evil.example.com/2", false},
	{"https://[::1]/2", false},
	{"https://[::1%25api.example.com]/2", false},
	{"https://127.0.0.1/2", false},
	{"wss://api.example.com/2", false},
	{"ftp://api.example.com/2", false},
	{"javascript:alert(1)", false},

	{"https://login.example.org/?return_to={again}", false},
	{"https://login.example.org/{again}", false},
	{"https://login.example.org/{parts}/2", false},
	{"https://login.example.org/#{again}", false},
}

var codes = []int{301, 302, 303, 307, 308}

var hostLists = [][]string{nil, {"api.example.com"}, {"http://127.0.0.1:9", "https://\uff41pi.example.com:443"}}

// expand fills in what the server was asked.
func expand(location string, r *http.Request) string {
	var parts []string
	for _, values := range r.URL.Query() {
		parts = append(parts, values...)
	}
	return strings.NewReplacer(
		"{query}", r.URL.RawQuery,
		"{again}", url.QueryEscape("https://api.example.com/a?"+r.URL.RawQuery),
		"{parts}", url.PathEscape(strings.Join(parts, "/")),
	).Replace(location)
}

// shows reports whether the text holds the secret, however it is escaped.
func shows(text string) bool {
	for range 4 {
		if strings.Contains(text, secret) || strings.Contains(text, "s3cr") {
			return true
		}
		text = strings.NewReplacer("%2F", "/", "%2f", "/", "%2B", "+", "%3D", "=", "%3d", "=", "%25", "%").Replace(text)
	}
	return false
}

// Whatever a server writes into Location, with whatever code, no token comes to
// another origin, wherever it travels and whatever Hosts says; at home it is there
// on each hop; and what others answer renews nothing.
func TestScenario23RedirectMatrix(t *testing.T) {
	overBoth(t, func(t *testing.T, serve func(http.HandlerFunc) *loopback) {
		var mu sync.Mutex
		var abroad []string // what foreign servers saw
		var found []bool    // whether the token was there, of each request at home
		var code int
		var location string
		isThere := places[0].found

		home := serve(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			found = append(found, isThere(r))
			if !strings.EqualFold(r.Host, "api.example.com") && !strings.HasPrefix(r.Host, "api.example.com:") &&
				!strings.HasPrefix(r.Host, "API.EXAMPLE.COM:") {
				t.Errorf("%s: the Host was %q", location, r.Host)
			}
			if len(found) > 1 {
				return
			}
			w.Header().Set("Location", expand(location, r))
			w.WriteHeader(code)
		})
		foreign := func(w http.ResponseWriter, r *http.Request) {
			dump, _ := httputil.DumpRequest(r, true)
			mu.Lock()
			abroad = append(abroad, string(dump))
			mu.Unlock()
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
			w.WriteHeader(http.StatusUnauthorized)
		}
		other := serve(foreign)
		plain := httptest.NewServer(http.HandlerFunc(foreign))
		t.Cleanup(plain.Close)
		base := home.base.Clone()
		t.Cleanup(base.CloseIdleConnections)
		base.TLSClientConfig.InsecureSkipVerify = true // so that any name gets as far as the request
		base.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			to := other
			switch {
			case strings.EqualFold(addr, "api.example.com:443"):
				to = home
			case strings.HasPrefix(location, "http:"):
				return new(net.Dialer).DialContext(ctx, network, plain.Listener.Addr().String())
			}
			return new(net.Dialer).DialContext(ctx, network, to.Listener.Addr().String())
		}

		runs, reached := 0, 0
		for _, p := range places {
			for _, hosts := range hostLists {
				for _, l := range locations {
					for _, code = range codes {
						abroad, found, location, isThere = nil, nil, l.to, p.found
						name := fmt.Sprintf("%s, Hosts %q, %d to %q", p.name, hosts, code, l.to)
						source := newSource(secret)
						c := &http.Client{Transport: &client.Transport{Source: source, Base: base, Place: p.place, Hosts: hosts}}
						resp, err := c.Post("https://api.example.com/start?b=2", "text/plain", strings.NewReader("hello"))
						if err == nil {
							_ = resp.Body.Close()
							if shows(resp.Request.URL.String() + resp.Request.Referer()) {
								t.Errorf("%s: resp.Request is %s from %s", name, resp.Request.URL, resp.Request.Referer())
							}
						} else if shows(err.Error()) || l.home {
							t.Errorf("%s: %v", name, err)
						}
						mu.Lock()
						seen, homes := strings.Join(abroad, "\n"), fmt.Sprint(found)
						mu.Unlock()
						if shows(seen) || source.renewals() != 0 {
							t.Errorf("%s: %d renewals, and another origin saw\n%s", name, source.renewals(), seen)
						}
						want := "[true]"
						if l.home {
							want = "[true true]"
						}
						if homes != want || l.home && seen != "" {
							t.Errorf("%s: the token at home %s, want %s; others saw %q", name, homes, want, seen)
						}
						if runs++; seen != "" {
							reached++
						}
					}
				}
			}
		}
		t.Logf("%d runs, %d of them reached another origin", runs, reached)
		if runs < 2000 || reached < 1000 {
			t.Errorf("%d runs, of which %d reached another origin: too few to say anything", runs, reached)
		}
	})
}

// The same with a Base without a network, which takes every URL as it comes, and
// which looks at what each hop carries.
func TestScenario23RedirectMatrixOfAFake(t *testing.T) {
	for _, p := range places {
		for _, hosts := range hostLists {
			for _, l := range locations {
				for _, code := range codes {
					sends := 0
					base := baseFunc(func(req *http.Request) (*http.Response, error) {
						if req.Body != nil {
							_ = req.Body.Close()
						}
						sends++
						if has := p.found(req); has != (sends == 1 || l.home) || !has && shows(fmt.Sprint(req.URL, req.Header)) {
							t.Errorf("%s, Hosts %q, %d to %q: send %d carries the token: %t; %s %v", p.name, hosts, code, l.to, sends, has, req.URL, req.Header)
						}
						if sends > 1 {
							return answer(http.StatusOK, "", ""), nil
						}
						resp := answer(code, "", "")
						resp.Header.Set("Location", expand(l.to, req))
						return resp, nil
					})
					c := &http.Client{Transport: &client.Transport{Source: newSource(secret), Base: base, Place: p.place, Hosts: hosts}}
					resp, err := c.Post("https://api.example.com/start?b=2", "text/plain", strings.NewReader("hello"))
					if err == nil {
						_ = resp.Body.Close()
					}
				}
			}
		}
	}
}
