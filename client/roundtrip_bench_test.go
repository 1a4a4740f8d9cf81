package client_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"example.com/tokenactor/client"
	"example.com/tokenactor/manager"
	"golang.org/x/oauth2"
)

// nowhere answers without a network, so that only the decorator is measured.
type nowhere struct{ resp http.Response }

func (n *nowhere) RoundTrip(*http.Request) (*http.Response, error) { return &n.resp, nil }

var headerNames = []string{"Accept", "Accept-Encoding", "User-Agent", "X-Request-Id", "Cache-Control", "If-None-Match",
	"Accept-Language", "Traceparent", "Tracestate", "X-Tenant", "X-Region", "X-Client"}

var sizes = []struct {
	name    string
	headers int
	token   int
}{
	{"headers=0", 0, 40}, {"headers=4", 4, 40}, {"headers=8", 8, 40}, {"headers=12", 12, 40}, {"headers=4,token=1500", 4, 1500},
}

func getRequest(headers int) *http.Request {
	req, _ := http.NewRequest(http.MethodGet, "https://api.example.com/invoices", nil)
	for _, name := range headerNames[:headers] {
		req.Header[name] = []string{"value"}
	}
	return req
}

// BenchmarkRoundTrip is what authorizing costs, beside golang.org/x/oauth2.
func BenchmarkRoundTrip(b *testing.B) {
	for _, size := range sizes {
		secret := strings.Repeat("x", size.token)
		credential := managed(b, secret)
		base := &nowhere{http.Response{StatusCode: http.StatusOK, Body: http.NoBody}}
		rivals := []struct {
			name string
			rt   http.RoundTripper
		}{
			{"client", &client.Transport{Source: credential, Base: base}},
			{"client,hosts", &client.Transport{Source: credential, Base: base, Hosts: []string{"api.example.com"}}},
			{"oauth2", &oauth2.Transport{Source: oauth2.ReuseTokenSource(&oauth2.Token{AccessToken: secret}, nil), Base: base}},
		}
		for _, rival := range rivals {
			b.Run(size.name+"/"+rival.name, func(b *testing.B) {
				ctx, cancel := context.WithCancel(b.Context())
				defer cancel()
				req := getRequest(size.headers).WithContext(ctx)
				b.ReportAllocs()
				for b.Loop() {
					if _, err := rival.rt.RoundTrip(req); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkAuthorize is the same on a request that the caller owns.
func BenchmarkAuthorize(b *testing.B) {
	source, req := managed(b, "token"), getRequest(4)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := client.Authorize(b.Context(), source, req); err != nil {
			b.Fatal(err)
		}
	}
}

// managed is a credential that a manager keeps, with the token installed.
func managed(tb testing.TB, secret string) *manager.Credential {
	tb.Helper()
	m, err := manager.New(manager.Config{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := m.Close(); err != nil {
			tb.Error(err)
		}
	})
	c := m.Manage("billing", nil)
	if err := c.Install(context.Background(), manager.Token{AccessToken: manager.NewSecret(secret)}); err != nil {
		tb.Fatal(err)
	}
	return c
}
