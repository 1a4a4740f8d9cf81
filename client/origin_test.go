package client_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"example.com/tokenactor/client"
	"example.com/tokenactor/manager"
)

const secret = "s3cr/t+token=="

// places are all the ways of a token to travel, and what finds it at the server.
var places = []struct {
	name  string
	place client.Place
	found func(*http.Request) bool
}{
	{"Authorization", nil, func(r *http.Request) bool { return r.Header.Get("Authorization") == "Bearer "+secret }},
	{"header", client.Header("x-session-token"), func(r *http.Request) bool { return r.Header.Get("X-Session-Token") == secret }},
	{"query", client.Query("access_token"), func(r *http.Request) bool { return r.URL.Query().Get("access_token") == secret }},
	{"function", client.PlaceFunc(func(req *http.Request, token *manager.Token) error {
		req.Header.Set("Cookie", "session="+token.AccessToken.Reveal())
		req.URL.Path += "/signed"
		return nil
	}), func(r *http.Request) bool {
		return strings.HasSuffix(r.URL.Path, "/signed") && r.Header.Get("Cookie") == "session="+secret
	}},
}

// Redirects to another host, another port, and from https to http carry no
// token, wherever it travels; what the other side sees is what it sees of a bare
// client, and its 401 starts no refresh.
func TestScenario23RedirectToAnotherOrigin(t *testing.T) {
	overBoth(t, func(t *testing.T, serve func(http.HandlerFunc) *loopback) {
		for _, p := range places {
			for _, to := range []string{"https://other.example.com", "https://api.example.com:8443", "http://api.example.com"} {
				for _, code := range []int{302, 307} {
					t.Run(fmt.Sprint(p.name, " ", code, " ", to), func(t *testing.T) {
						foreign := &dumps{}
						other := serve(foreign.serve)
						plain := httptest.NewServer(http.HandlerFunc(foreign.serve))
						t.Cleanup(plain.Close)
						authorized := 0
						first := serve(func(w http.ResponseWriter, r *http.Request) {
							if p.found(r) {
								authorized++
							}
							// As servers do that redirect and keep the query.
							http.Redirect(w, r, to+"/file?a=1&"+r.URL.RawQuery, code)
						})
						base := reach(t, first, map[string]string{
							"api.example.com:443":   first.Listener.Addr().String(),
							"other.example.com:443": other.Listener.Addr().String(),
							"api.example.com:8443":  other.Listener.Addr().String(),
							"api.example.com:80":    plain.Listener.Addr().String(),
						})
						post := func(c http.RoundTripper) *http.Response {
							req := mustRequest(t, http.MethodPost, "https://api.example.com/start?b=2", strings.NewReader("hello"))
							resp, err := (&http.Client{Transport: c}).Do(req)
							if err != nil {
								t.Fatal(err)
							}
							return resp
						}

						source := newSource(secret)
						resp := post(&client.Transport{Source: source, Base: base, Place: p.place})
						if got := text(t, resp); resp.StatusCode != http.StatusUnauthorized || got != "who are you?" {
							t.Errorf("got %d %q, want the other origin's own 401", resp.StatusCode, got)
						}
						if authorized != 1 || source.renewals() != 0 {
							t.Errorf("%d authorized requests and %d renewals, want 1 and 0", authorized, source.renewals())
						}
						_ = text(t, post(base))
						foreign.check(t)
					})
				}
			}
		}
	})
}

// dumps is a foreign server that notes what it sees.
type dumps struct {
	mu   sync.Mutex
	seen [][]byte
}

func (d *dumps) serve(w http.ResponseWriter, r *http.Request) {
	dump, _ := httputil.DumpRequest(r, true)
	d.mu.Lock()
	d.seen = append(d.seen, dump)
	d.mu.Unlock()
	w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
	w.WriteHeader(http.StatusUnauthorized)
	_, _ = io.WriteString(w, "who are you?")
}

// check compares the request of the authorizing client with that of a bare one.
func (d *dumps) check(t *testing.T) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.seen) != 2 {
		t.Fatalf("the other origin saw %d requests, want 2", len(d.seen))
	}
	ours, bare := d.seen[0], d.seen[1]
	if !bytes.Equal(ours, bare) {
		t.Errorf("the other origin saw\n%s, of a bare client\n%s", ours, bare)
	}
	if bytes.Contains(ours, []byte(secret)) || bytes.Contains(ours, []byte("s3cr")) {
		t.Errorf("the token leaked:\n%s", ours)
	}
}

// On HTTP/1.1 every byte that the other host received is compared.
func TestScenario23ByteForByte(t *testing.T) {
	for _, p := range places {
		t.Run(p.name, func(t *testing.T) {
			var target string
			first := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !p.found(r) && r.Header.Get("X-Bare") == "" {
					t.Errorf("no token at its own origin: %v %v", r.URL, r.Header)
				}
				w.Header().Set("Location", target)
				w.WriteHeader(http.StatusFound)
			}))
			first.StartTLS()
			defer first.Close()
			wire := &recorder{}
			other := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusUnauthorized)
			}))
			other.Listener = &recordingListener{tls.NewListener(other.Listener, first.TLS), wire}
			other.Start()
			defer other.Close()
			target = strings.Replace(other.URL, "http:", "https:", 1) + "/file"

			var got [][]byte
			for _, rt := range []http.RoundTripper{
				&client.Transport{Source: newSource(secret), Place: p.place, Base: first.Client().Transport},
				first.Client().Transport,
			} {
				req := mustRequest(t, http.MethodGet, first.URL+"/start", nil)
				if len(got) == 1 {
					req.Header.Set("X-Bare", "1")
				}
				c := &http.Client{Transport: rt, CheckRedirect: func(req *http.Request, _ []*http.Request) error {
					req.Header.Del("X-Bare")
					return nil
				}}
				resp, err := c.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				_ = text(t, resp)
				got = append(got, wire.take())
			}
			if len(got[0]) == 0 || !bytes.Equal(got[0], got[1]) {
				t.Errorf("the other host received\n%q, from a bare client\n%q", got[0], got[1])
			}
		})
	}
}

// A recorder keeps what a server read, after TLS.
type recorder struct {
	mu   sync.Mutex
	read []byte
}

func (r *recorder) take() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	taken := r.read
	r.read = nil
	return taken
}

type recordingListener struct {
	net.Listener
	to *recorder
}

func (l *recordingListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return &recordingConn{c, l.to}, err
}

type recordingConn struct {
	net.Conn
	to *recorder
}

func (c *recordingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.to.mu.Lock()
	c.to.read = append(c.to.read, p[:n]...)
	c.to.mu.Unlock()
	return n, err
}

// chain builds the request of the last hop as http.Client does.
func chain(urls ...string) *http.Request {
	var req *http.Request
	for _, u := range urls {
		next, _ := http.NewRequest(http.MethodGet, u, nil)
		if req != nil {
			next.Response = &http.Response{Request: req}
		}
		req = next
	}
	return req
}

// Which hop of which chain sees the token.
func TestOriginBinding(t *testing.T) {
	circle := chain("https://api.example.com/1", "https://api.example.com/2")
	circle.Response.Request = circle
	broken := chain("https://api.example.com/1", "https://api.example.com/2")
	broken.Response.Request = nil

	hosts := []string{"api.example.com", "other.example.com:8443", "http://intranet.example.com"}
	for _, test := range []struct {
		name  string
		hosts []string
		req   *http.Request
		want  bool
	}{
		{"first", nil, chain("https://api.example.com/1"), true},
		{"first, plain http on this machine", nil, chain("http://127.0.0.1:8080/1"), true},
		{"same origin", nil, chain("https://api.example.com/1", "https://api.example.com/2"), true},
		{"same origin, written otherwise", nil, chain("https://api.example.com/1", "HTTPS://API.example.com:443/2"), true},
		{"same origin, http", nil, chain("http://localhost:80", "http://LOCALHOST"), true},
		{"other host", nil, chain("https://api.example.com", "https://example.com"), false},
		{"a host below", nil, chain("https://example.com", "https://api.example.com"), false},
		{"other port", nil, chain("https://api.example.com", "https://api.example.com:8443"), false},
		{"https to http", nil, chain("https://api.example.com", "http://api.example.com"), false},
		{"https to http, same port", nil, chain("https://api.example.com:8080", "http://api.example.com:8080"), false},
		{"http to https", nil, chain("http://api.example.com", "https://api.example.com"), true},
		{"http to https, third hop", nil, chain("http://[::1]", "https://[::1]", "https://[::1]:443/2"), true},
		{"http to https, same port", nil, chain("http://127.0.0.1:8080", "https://127.0.0.1:8080"), false},
		{"http to https, other port", nil, chain("http://127.0.0.1", "https://127.0.0.1:8443"), false},
		{"http to https, from another port", nil, chain("http://127.0.0.1:8080", "https://127.0.0.1"), false},
		{"http to https of another host", nil, chain("http://localhost", "https://api.example.com"), false},
		{"http to https and back", nil, chain("http://localhost", "https://localhost", "http://localhost"), false},
		{"third hop abroad", nil, chain("https://api.example.com", "https://api.example.com/2", "https://example.com"), false},
		{"abroad and back", nil, chain("https://api.example.com", "https://example.com", "https://api.example.com"), true},
		{"https, http, back to http", nil, chain("http://api.example.com", "https://example.com", "http://api.example.com"), false},
		{"circle", nil, circle, false},
		{"broken", nil, broken, false},

		{"listed", hosts, chain("https://api.example.com/1"), true},
		{"listed, with the default port", hosts, chain("https://API.example.com:443/1"), true},
		{"listed, other port", hosts, chain("https://api.example.com:8443"), false},
		{"listed, plain http", hosts, chain("http://api.example.com"), false},
		{"listed port", hosts, chain("https://other.example.com:8443"), true},
		{"listed port, default asked", hosts, chain("https://other.example.com"), false},
		{"listed as http", hosts, chain("http://intranet.example.com/x"), true},
		{"listed as http, https asked", hosts, chain("https://intranet.example.com/x"), true},
		{"listed as http, https asked at the port of http", hosts, chain("https://intranet.example.com:80/x"), false},
		{"listed as http, led to https", hosts, chain("http://intranet.example.com", "https://intranet.example.com"), true},
		{"listed as http with a port, https asked", []string{"http://intranet.example.com:8080"}, chain("https://intranet.example.com"), false},
		{"listed as http with a port, https there", []string{"http://intranet.example.com:8080"}, chain("https://intranet.example.com:8080"), false},
		{"not listed", hosts, chain("https://example.com"), false},
		{"listed to listed", hosts, chain("https://api.example.com", "https://other.example.com:8443"), true},
		{"listed, https to http", hosts, chain("https://api.example.com", "http://intranet.example.com"), false},
		{"unlisted to listed", hosts, chain("https://example.com", "https://api.example.com"), true},
		{"listed to unlisted", hosts, chain("https://api.example.com", "https://example.com"), false},
		{"loopback, plain http", []string{"127.0.0.1:8080"}, chain("http://127.0.0.1:8080/"), true},
		{"loopback, another port", []string{"127.0.0.1:8080"}, chain("http://127.0.0.1:8081/"), false},
		{"loopback, IPv6", []string{"[::1]:8080"}, chain("http://[::1]:8080/"), true},
		{"localhost", []string{"localhost"}, chain("http://localhost/"), true},
		{"user name of the host's name", []string{"api.example.com"}, chain("https://api.example.com@example.com/"), false},
		{"empty list", []string{}, chain("https://api.example.com"), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			var seen []string
			source := newSource("T1")
			rt := &client.Transport{Source: source, Hosts: test.hosts, Base: accepting("", &seen)}
			resp, err := rt.RoundTrip(test.req)
			if err != nil {
				t.Fatal(err)
			}
			if got := text(t, resp); got != "refused" {
				t.Errorf("got %q, want the 401 whole", got)
			}
			want, renewals := []string{""}, 0
			if test.want {
				want, renewals = []string{"Bearer T1", "Bearer T2"}, 1
			}
			if !slices.Equal(seen, want) || source.renewals() != renewals {
				t.Errorf("sent %q with %d renewals, want %q and %d", seen, source.renewals(), want, renewals)
			}
		})
	}
}

// A request whose caller chose another authorization keeps it on its own origin,
// and gets no token where net/http took it out.
func TestOwnAuthorizationOnRedirects(t *testing.T) {
	req := chain("https://api.example.com/1", "https://example.com/2", "https://api.example.com/3")
	req.Response.Request.Response.Request.Header.Set("Authorization", "Basic eA==")
	var seen []string
	rt := &client.Transport{Source: newSource("T1"), Base: accepting("T1", &seen)}
	resp, err := rt.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = text(t, resp)
	if !slices.Equal(seen, []string{""}) {
		t.Errorf("sent %q, want no authorization", seen)
	}
}

// A typo in Hosts says so, and sends nothing.
func TestHostsThatAreNone(t *testing.T) {
	for _, entry := range []string{"", "*.example.com", "api.example.com/v1", "api.example.com, www.example.com", "https://", "user@api.example.com", "http://[::1", " api.example.com"} {
		sent := 0
		base := baseFunc(func(*http.Request) (*http.Response, error) {
			sent++
			return nil, errors.New("not to be reached")
		})
		rt := &client.Transport{Source: newSource("T1"), Base: base, Hosts: []string{entry}}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.example.com/invoices", nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = rt.RoundTrip(req)
		if err == nil || !strings.Contains(err.Error(), "Transport.Hosts: "+strconv.Quote(entry)) || sent != 0 {
			t.Errorf("Hosts %q: got error %v and %d requests sent, want an error that names the entry and none", entry, err, sent)
		}
	}
}
