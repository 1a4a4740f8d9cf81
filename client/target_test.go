package client_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"

	"example.com/tokenactor/client"
)

// tokenSent reports whether rt sends req with the token, and returns the error.
func tokenSent(t *testing.T, rt *client.Transport, req *http.Request) (bool, error) {
	t.Helper()
	var seen []string
	rt.Source, rt.Base = newSource("T1"), accepting("T1", &seen)
	resp, err := rt.RoundTrip(req)
	if err == nil {
		_ = text(t, resp)
	} else if len(seen) > 0 {
		t.Errorf("%v: %d requests were sent all the same", err, len(seen))
	}
	return slices.Contains(seen, "Bearer T1"), err
}

// How a host may be written, in Hosts and in a URL, and what is the same host.
func TestHostSpellings(t *testing.T) {
	for _, test := range []struct {
		entry, url string
		want       bool
	}{
		{"api.example.com", "https://api.example.com", true},
		{"API.Example.com", "https://api.example.com", true},
		{"api.example.com", "https://API.EXAMPLE.COM:443", true},
		{"api.example.com:443", "https://api.example.com", true},
		{"api.example.com:8443", "https://api.example.com:8443", true},
		{"api.example.com:8443", "https://api.example.com", false},
		{"api.example.com", "https://api.example.com:0443", false},
		{"https://api.example.com", "https://api.example.com", true},
		{"https://api.example.com", "http://api.example.com", false},
		// A dot at the end is another name: the resolver tries no search domains.
		{"api.example.com", "https://api.example.com.", false},
		{"api.example.com.", "https://api.example.com.", true},
		// What comes before @ is no host; a user name does not change the host.
		{"api.example.com", "https://api.example.com@evil.example", false},
		{"api.example.com", "https://user@api.example.com", true},

		{"bücher.example", "https://bücher.example", true},
		{"bücher.example", "https://xn--bcher-kva.example", true},
		{"bücher.example", "https://XN--BCHER-KVA.EXAMPLE", true},
		{"xn--bcher-kva.example", "https://bücher.example", true},
		{"xn--bcher-kva.example", "https://b%C3%BCcher.example", true},
		{"BÜCHER.example", "https://bücher.example", true},
		{"bücher.example", "https://BÜCHER.EXAMPLE", true},
		{"bücher.example", "https://bu\u0308cher.example", true}, // decomposed
		{"http://bücher.example:8080", "http://xn--bcher-kva.example:8080", true},
		{"bücher.example", "https://bucher.example", false},
		{"api.example.com", "https://\uff41pi\u3002example.com", true}, // full width
		{"kit.example", "https://\u212ait.example", true},              // KELVIN SIGN is k by IDNA
		{"github.example", "https://g\u0130thub.example", false},       // U+0130 is no i by IDNA
		{"github.example", "https://g%C4%B0thub.example", false},
		{"g\u0130thub.example", "https://github.example", false},
		{"g\u0130thub.example", "https://xn--github-qyd.example", true},

		{"[::1]:8443", "https://[0:0:0::1]:8443", true},
		{"[2001:db8::a]", "https://[2001:DB8::A]", true},
		{"[fe80::1%25eth0]", "https://[fe80::1%25eth0]", true},
		{"[fe80::1%25eth0]", "https://[fe80::1%25ETH0]", false}, // names of interfaces
		{"[fe80::1%25eth0]", "https://[fe80::1]", false},
		{"127.0.0.1:8080", "http://127.0.0.1:8080", true},
		{"127.0.0.1:8080", "http://[::ffff:127.0.0.1]:8080", false},
		{"LOCALHOST:8080", "http://localhost:8080", true},
	} {
		req := mustRequest(t, http.MethodGet, test.url, nil)
		got, err := tokenSent(t, &client.Transport{Hosts: []string{test.entry}}, req)
		if got != test.want || err != nil {
			t.Errorf("Hosts %q, %s: the token was sent: %t (%v), want %t", test.entry, test.url, got, err, test.want)
		}
		if !strings.Contains(test.entry, "://") {
			// A redirect from the one to the other.
			hop := chain("https://"+test.entry, strings.Replace(test.url, "http:", "https:", 1))
			if got, err := tokenSent(t, &client.Transport{}, hop); got != test.want || err != nil {
				t.Errorf("redirect from %q to %s: the token was sent: %t (%v), want %t", test.entry, test.url, got, err, test.want)
			}
		}
	}
}

// What Request.Host and URL.Opaque name counts as URL.Host does.
func TestTargetIsMoreThanTheHostOfTheURL(t *testing.T) {
	for _, test := range []struct {
		name         string
		hosts        []string
		host, opaque string
		want         bool
		wantErr      string
	}{
		{"nothing", []string{"http://intranet.example"}, "", "", true, ""},
		{"the same host", []string{"http://intranet.example"}, "INTRANET.example:80", "", true, ""},
		{"another host", []string{"http://intranet.example"}, "evil.example", "", false, ""},
		{"another port", []string{"http://intranet.example"}, "intranet.example:8080", "", false, ""},
		{"both listed", []string{"http://intranet.example", "http://www.example"}, "www.example", "", true, ""},
		{"the other listed for https", []string{"http://intranet.example", "www.example"}, "www.example", "", false, ""},
		{"a path", []string{"http://intranet.example"}, "", "/a%2Fb", true, ""},
		{"all of the server", []string{"http://intranet.example"}, "", "*", true, ""},
		{"the same host and a path", []string{"http://intranet.example"}, "", "//intranet.example/a%2Fb", true, ""},
		{"another host and a path", []string{"http://intranet.example"}, "", "//evil.example/y", false, ""},
		{"another host, whole", []string{"http://intranet.example"}, "", "http://evil.example/y", false, ""},
		{"nothing that can be read", []string{"http://intranet.example"}, "", "evil.example:80", false, "URL.Opaque"},
		{"no list", nil, "", "", false, `name the origin in Transport.Hosts`},
	} {
		req := mustRequest(t, http.MethodGet, "http://intranet.example/x", nil)
		req.Host, req.URL.Opaque = test.host, test.opaque
		got, err := tokenSent(t, &client.Transport{Hosts: test.hosts}, req)
		if got != test.want || (err != nil) != (test.wantErr != "") || err != nil && !strings.Contains(err.Error(), test.wantErr) {
			t.Errorf("%s: the token was sent: %t, error %v; want %t, %q", test.name, got, err, test.want, test.wantErr)
		}
	}
}

// A visitor of a reverse proxy does not choose, by his Host header, for whom the
// egress proxy asks with our token; nor does a caller who sets URL.Opaque.
func TestHostHeaderThroughAnEgressProxy(t *testing.T) {
	var asked []string
	egress := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked = append(asked, fmt.Sprint(r.RequestURI, " ", r.Header.Get("Authorization") != ""))
	}))
	defer egress.Close()
	at, _ := url.Parse(egress.URL)
	base := &http.Transport{Proxy: http.ProxyURL(at)}
	defer base.CloseIdleConnections()
	rt := &client.Transport{Source: newSource(secret), Base: base, Hosts: []string{"http://intranet.example"}}

	upstream, _ := url.Parse("http://intranet.example")
	reverse := httptest.NewServer(httputil.NewSingleHostReverseProxy(upstream))
	reverse.Config.Handler.(*httputil.ReverseProxy).Transport = rt
	defer reverse.Close()
	for _, host := range []string{"visitor-chosen.example", "intranet.example"} {
		req := mustRequest(t, http.MethodGet, reverse.URL+"/z", nil)
		req.Host = host
		resp, err := reverse.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = text(t, resp)
	}
	// And one that is written otherwise than it is dialed: KELVIN SIGN.
	rt.Hosts = []string{"http://kit.example"}
	resp, err := rt.RoundTrip(mustRequest(t, http.MethodGet, "http://\u212ait.example/z", nil))
	if err != nil {
		t.Fatal(err)
	}
	_ = text(t, resp)
	want := []string{"http://visitor-chosen.example/z false", "http://intranet.example/z true", "http://kit.example/z true"}
	if !slices.Equal(asked, want) {
		t.Errorf("the egress proxy was asked %q, want %q", asked, want)
	}
}

// Plain http to another machine is refused, wherever the token travels, and the
// error says what to do; an entry of Hosts permits it.
func TestPlainHTTPIsRefused(t *testing.T) {
	for _, p := range places {
		for _, test := range []struct {
			url, host string
			hosts     []string
			refused   bool
			sent      bool
		}{
			{"http://api.example.com/x", "", nil, true, false},
			{"http://10.0.0.1:8080/x", "", nil, true, false},
			{"http://localhost.example.com/x", "", nil, true, false},
			{"http://127.0.0.1:8080/x", "", nil, false, true},
			{"http://[::1]/x", "", nil, false, true},
			{"http://Localhost/x", "", nil, false, true},
			{"http://127.0.0.1:8080/x", "tenant.example.com", nil, true, false},
			{"https://127.0.0.1:8080/x", "tenant.example.com", nil, false, true},
			{"http://api.example.com/x", "", []string{"http://api.example.com"}, false, true},
			{"http://api.example.com/x", "", []string{"api.example.com"}, false, false},
			{"http://example.com/x", "", []string{"api.example.com"}, false, false},
		} {
			found := false
			rt := &client.Transport{Source: newSource(secret), Place: p.place, Hosts: test.hosts, Base: baseFunc(func(req *http.Request) (*http.Response, error) {
				found = p.found(req)
				return answer(http.StatusOK, "", ""), nil
			})}
			body := newCountedBody(strings.NewReader("hello"))
			req := mustRequest(t, http.MethodPost, test.url, body)
			if req.Host = test.host; test.host == "" {
				req.Host = req.URL.Host
			}
			resp, err := rt.RoundTrip(req)
			if err == nil {
				_ = text(t, resp)
			} else if body.closes.Load() != 1 {
				t.Errorf("the body was closed %d times, want 1", body.closes.Load())
			}
			if found != test.sent || (err != nil) != test.refused {
				t.Errorf("%s: %s for %q, Hosts %q: the token was sent: %t, error %v", p.name, test.url, test.host, test.hosts, found, err)
			}
			if err != nil && !(strings.HasPrefix(err.Error(), "client: http://") && strings.Contains(err.Error(), "unencrypted: use https, ") && strings.Contains(err.Error(), "Transport.Hosts")) {
				t.Errorf("%s: %v does not say what to do", test.url, err)
			}
		}
	}
}

func TestAuthorizeRefusesPlainHTTP(t *testing.T) {
	for target, refused := range map[string]bool{
		"http://api.example.com/x": true, "http://127.0.0.1:8080/x": false, "https://api.example.com/x": false, "HTTP://api.example.com": true,
	} {
		req := mustRequest(t, http.MethodGet, target, nil)
		token, err := client.Authorize(t.Context(), newSource("T1"), req)
		if (err != nil) != refused || (token == nil) != refused || (req.Header.Get("Authorization") == "") != refused {
			t.Errorf("%s: got %v, %v, headers %v; want refused: %t", target, token, err, req.Header, refused)
		}
		if err != nil && !strings.Contains(err.Error(), "use https, or put Token.Authorization into the header yourself") {
			t.Errorf("%v does not say what to do", err)
		}
	}
}

// following is a Base that follows redirects itself, as a retry client's does that
// is made of an http.Client.
type following struct{ c *http.Client }

func (f following) RoundTrip(req *http.Request) (*http.Response, error) { return f.c.Do(req) }

// A Base that went to another origin is an error that says so, and the 401 from
// there renews nothing.
func TestBaseThatFollowsRedirects(t *testing.T) {
	foreign := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if back := r.URL.Query().Get("back"); back != "" {
			http.Redirect(w, r, back, http.StatusFound)
			return
		}
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer foreign.Close()
	home := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, foreign.URL, http.StatusFound)
		case "/around":
			http.Redirect(w, r, foreign.URL+"?back="+url.QueryEscape("http://"+r.Host+"/here"), http.StatusFound)
		case "/home":
			http.Redirect(w, r, "/here", http.StatusFound)
		}
	}))
	defer home.Close()
	for _, p := range places[:3] {
		for _, listed := range []bool{false, true} {
			for path, strays := range map[string]bool{"/away": true, "/around": true, "/home": false, "/here": false} {
				source := newSource(secret)
				rt := &client.Transport{Source: source, Place: p.place, Base: following{home.Client()}}
				if listed {
					rt.Hosts = []string{strings.TrimPrefix(home.URL, "http://"), foreign.URL}
				}
				resp, err := (&http.Client{Transport: rt}).Get(home.URL + path)
				if err == nil {
					_ = text(t, resp)
				}
				wantErr := strays && !listed
				if (err != nil) != wantErr || wantErr && source.renewals() > 0 {
					t.Errorf("%s %s, listed %t: got %v and %d renewals", p.name, path, listed, err, source.renewals())
				}
				if err != nil && (!strings.Contains(err.Error(), "client: asked "+home.URL+", but Transport.Base went to "+foreign.URL+" by itself") ||
					!strings.Contains(err.Error(), "http.ErrUseLastResponse") || shows(err.Error())) {
					t.Errorf("%v does not say what to do, or too much", err)
				}
			}
		}
	}
}

// The error of such a Base shows no token that the server put into a host name.
func TestBaseThatFollowsToAHostWithTheToken(t *testing.T) {
	rt := &client.Transport{Source: newSource("t0ken"), Base: baseFunc(func(*http.Request) (*http.Response, error) {
		resp := answer(http.StatusUnauthorized, "", "")
		resp.Request = chain("https://api.example.com", "https://t0ken.example.com")
		return resp, nil
	})}
	_, err := rt.RoundTrip(getRequest(0))
	if err == nil || strings.Contains(err.Error(), "t0ken") {
		t.Errorf("got %v", err)
	}
}

// A wrapper in front that makes requests of its own loses Request.Response, and
// with it where the chain began: Hosts holds the token all the same.
func TestWrapperThatLosesTheChain(t *testing.T) {
	var seen []string
	base := baseFunc(func(req *http.Request) (*http.Response, error) {
		seen = append(seen, req.URL.Host+" "+req.Header.Get("Authorization"))
		resp := answer(http.StatusFound, "", "")
		resp.Header.Set("Location", "https://example.com/")
		if len(seen) > 1 {
			resp.StatusCode = http.StatusOK
		}
		return resp, nil
	})
	rt := &client.Transport{Source: newSource("T1"), Base: base, Hosts: []string{"api.example.com"}}
	c := &http.Client{Transport: baseFunc(func(req *http.Request) (*http.Response, error) {
		anew, err := http.NewRequestWithContext(req.Context(), req.Method, req.URL.String(), req.Body)
		if err != nil {
			return nil, err
		}
		anew.Header = req.Header
		return rt.RoundTrip(anew)
	})}
	if got := get(t, c, "https://api.example.com/"); got != http.StatusOK {
		t.Errorf("got %d, want 200", got)
	}
	if got := strings.Join(seen, ", "); got != "api.example.com Bearer T1, example.com " {
		t.Errorf("sent %s", got)
	}
}
