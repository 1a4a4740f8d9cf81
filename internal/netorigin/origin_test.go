package netorigin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// Spellings of one server, and of others that look like it.
var spellings = []struct {
	a, b string
	same bool
}{
	{"https://api.example.com", "https://api.example.com/path?q#f", true},
	{"https://api.example.com", "HTTPS://API.Example.COM", true},
	{"https://api.example.com", "https://api.example.com:443", true},
	{"https://api.example.com", "https://api.example.com:", true},
	{"https://api.example.com", "https://user:pw@api.example.com", true},
	{"https://api.example.com", "https://api.example.com@example.com", false},
	{"https://api.example.com", "https://api.example.com:0443", false},
	{"https://api.example.com", "https://api.example.com:8443", false},
	{"https://api.example.com", "https://api.example.com:80", false},
	{"https://api.example.com", "http://api.example.com", false},
	{"https://api.example.com", "http://api.example.com:443", false},
	{"https://api.example.com", "https://api.example.com.", false},
	{"https://api.example.com", "https://example.com", false},
	{"https://api.example.com", "https://x.api.example.com", false},
	{"https://api.example.com", "https://api.example.com.example.org", false},
	{"http://api.example.com", "http://api.example.com:80", true},

	// IDNA, both ways, as net/http maps it.
	{"https://bücher.example", "https://xn--bcher-kva.example", true},
	{"https://b%C3%BCcher.example", "https://XN--BCHER-KVA.example", true},
	{"https://BÜCHER.example", "https://xn--bcher-kva.example", true},
	{"https://bu\u0308cher.example", "https://bücher.example", true}, // decomposed
	{"https://bücher.example:8443", "https://xn--bcher-kva.example:8443", true},
	{"https://bücher.example", "https://bucher.example", false},
	{"https://bücher.example.", "https://bücher.example", false},
	{"https://api.example.com", "https://\uff41pi.example.com", true}, // full width
	{"https://api.example.com", "https://api\u3002example.com", true}, // ideographic full stop
	{"https://faß.example", "https://fass.example", false},
	{"https://faß.example", "https://xn--fa-hia.example", true},
	{"https://kit.example", "https://\u212ait.example", true}, // KELVIN SIGN
	// U+0130 lowers to i by Unicode's rules, and is i with a dot by IDNA's.
	{"https://github.example", "https://g\u0130thub.example", false},
	{"https://github.example", "https://g%C4%B0thub.example", false},
	{"https://g\u0130thub.example", "https://xn--github-qyd.example", true},
	{"https://github.example", "https://g\u0131thub.example", false}, // dotless

	{"https://[::1]", "https://[0:0::0:1]:443", true},
	{"https://[2001:DB8::A]", "https://[2001:db8::a]", true},
	{"https://[fe80::1%25eth0]", "https://[FE80::1%25eth0]", true},
	{"https://[fe80::1%25eth0]", "https://[fe80::1%25ETH0]", false},
	{"https://[fe80::1%25eth0]", "https://[fe80::1%25eth1]", false},
	{"https://[fe80::1%25eth0]", "https://[fe80::1]", false},
	{"https://127.0.0.1", "https://[::ffff:127.0.0.1]", false},
	{"https://127.0.0.1", "https://127.1", false},
	{"https://127.0.0.1", "https://2130706433", false},
}

func TestSpellings(t *testing.T) {
	for _, s := range spellings {
		a, b := Of(parsed(t, s.a)), Of(parsed(t, s.b))
		if (a == b) != s.same {
			t.Errorf("%s is %v, %s is %v: want the same: %t", s.a, a, s.b, b, s.same)
		}
		// What is the same must be dialed the same, but for what DNS and
		// the system's own reader of addresses take for the same.
		x, y := dialedBy(t, s.a), dialedBy(t, s.b)
		sameDial := strings.EqualFold(x, y) || strings.Contains(x, "[") && a.Host == b.Host
		if s.same && !sameDial {
			t.Errorf("%s is dialed as %s, %s as %s: not to be taken for the same", s.a, x, s.b, y)
		}
	}
}

func parsed(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// dialedBy gives the address that an http.Transport dials for a URL.
func dialedBy(t *testing.T, s string) string {
	var addr string
	tr := &http.Transport{DialContext: func(_ context.Context, _, a string) (net.Conn, error) {
		addr = a
		return nil, errors.New("no")
	}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s, nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := tr.RoundTrip(req); err == nil {
		_ = resp.Body.Close()
	}
	return addr
}

func TestString(t *testing.T) {
	for in, want := range map[string]string{
		"https://API.example.com:443/x?y": "https://api.example.com",
		"https://api.example.com:8443":    "https://api.example.com:8443",
		"http://api.example.com:80":       "http://api.example.com",
		"http://[::1]:8080":               "http://[::1]:8080",
		"http://[::1]":                    "http://[::1]",
		"https://bücher.example":          "https://xn--bcher-kva.example",
	} {
		if got := Of(parsed(t, in)).String(); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

func TestInClear(t *testing.T) {
	for in, want := range map[string]bool{
		"https://api.example.com":         false,
		"http://api.example.com":          true,
		"HTTP://api.example.com":          true,
		"http://127.0.0.1:8080":           false,
		"http://127.8.9.10":               false,
		"http://[::1]:8080":               false,
		"http://localhost":                false,
		"http://LOCALHOST:80":             false,
		"http://localhost.":               true,
		"http://localhost.example.com":    true,
		"http://127.0.0.1.example.com":    true,
		"http://127.1":                    true,
		"http://10.0.0.1":                 true,
		"http://[fe80::1%25lo]":           true,
		"http://localho\u017ft":           false, // dialed as localhost
		"http://127.0.0.1@example.com":    true,
		"http://user@127.0.0.1:8080/path": false,
	} {
		if got := Of(parsed(t, in)).InClear(); got != want {
			t.Errorf("%s: got %t, want %t", in, got, want)
		}
	}
}

func TestSecured(t *testing.T) {
	for in, want := range map[string]string{
		"http://api.example.com":       "https://api.example.com",
		"http://api.example.com:80":    "https://api.example.com",
		"http://api.example.com:8080":  "http://api.example.com:8080",
		"https://api.example.com":      "https://api.example.com",
		"https://api.example.com:80":   "https://api.example.com:80",
		"http://[::1]":                 "https://[::1]",
		"ftp://api.example.com:80":     "ftp://api.example.com:80",
		"http://xn--bcher-kva.example": "https://xn--bcher-kva.example",
	} {
		if got := Of(parsed(t, in)).Secured().String(); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

// A proxy is asked for the name that is dialed, and a server too.
func TestHostHeader(t *testing.T) {
	for in, want := range map[string]string{
		"API.example.com:8443":        "API.example.com:8443",
		"bücher.example":              "xn--bcher-kva.example",
		"BÜCHER.example:8443":         "xn--bcher-kva.example:8443",
		"g\u0130thub.example":         "xn--github-qyd.example",
		"\u212ait.example":            "kit.example",
		"evil\u3002example.com:80":    "evil.example.com:80",
		"[::1]:80":                    "[::1]:80",
		"b\u00fccher.example\u3002de": "xn--bcher-kva.example.de",
	} {
		if got := HostHeader(in); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
		var asked string
		proxy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked = r.Host }))
		at, _ := url.Parse(proxy.URL)
		tr := &http.Transport{Proxy: http.ProxyURL(at)}
		req := &http.Request{Method: http.MethodGet, URL: &url.URL{Scheme: "http", Host: in, Path: "/"}, Host: HostHeader(in), Header: http.Header{}}
		resp, err := tr.RoundTrip(req.WithContext(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		tr.CloseIdleConnections()
		proxy.Close()
		if asked != want {
			t.Errorf("%s: the proxy was asked for %s, want %s", in, asked, want)
		}
	}
}

// Names that no IDNA can map are dialed as they stand, and are nobody else's.
func TestNamesThatAreNone(t *testing.T) {
	for _, name := range []string{"a_b.bücher.example", "\xff\xfe", "xn--\u00fc.example", "\u202e", "\u00ad", strings.Repeat("ü", maxName)} {
		got := Host(name)
		if other := Host("example.com"); got == other || got == "" && name != "\u00ad" {
			t.Errorf("%q: got %q", name, got)
		}
	}
}

// What is remembered stays small, and the answer is the same for all who ask.
func TestNamesAreBounded(t *testing.T) {
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for j := range maxNames / 2 {
				name := fmt.Sprintf("bücher%d.example", i*maxNames/2+j)
				if got := Host(name); !strings.HasPrefix(got, "xn--bcher") {
					t.Errorf("%s: got %s", name, got)
				}
			}
		})
	}
	wg.Wait()
	names.Lock()
	defer names.Unlock()
	if len(names.dialed) > maxNames {
		t.Errorf("%d names are remembered, want at most %d", len(names.dialed), maxNames)
	}
}

func TestASCII(t *testing.T) {
	for n := range 20 {
		s := strings.Repeat("a", n)
		if !ASCII(s) {
			t.Errorf("%q is not ASCII", s)
		}
		for i := range n {
			if odd := s[:i] + "\x80" + s[i+1:]; ASCII(odd) {
				t.Errorf("%q is ASCII", odd)
			}
		}
	}
}

// Origins of ASCII names in lower case, as nearly all are, cost no memory.
func TestOfAllocatesNothing(t *testing.T) {
	u := parsed(t, "https://api.example.com:8443/x")
	if n := testing.AllocsPerRun(100, func() { _ = Of(u) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func BenchmarkHost(b *testing.B) {
	for name, host := range map[string]string{"ascii": "api.example.com", "remembered": "bücher.example"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				_ = Host(host)
			}
		})
	}
	b.Run("asked", func(b *testing.B) {
		for b.Loop() {
			_ = ask("bücher.example")
		}
	})
}
