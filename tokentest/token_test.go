package tokentest_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"example.com/tokenactor/tokentest"
)

func TestClientCredentials(t *testing.T) {
	both(t, tokentest.Options{}, func(t *testing.T, srv *tokentest.Server) {
		r, err := ask(srv.Client(), srv, url.Values{"grant_type": {"client_credentials"}, "scope": {"read"}})
		if err != nil {
			t.Fatal(err)
		}
		if r.status != http.StatusOK || r.refresh != "" || r.members["scope"] != "read" ||
			r.members["token_type"] != "Bearer" || r.members["expires_in"] != 3600.0 {
			t.Errorf("%d %s", r.status, r.text)
		}
		if got := r.header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("Cache-Control %q, want no-store", got)
		}
		if got := get(t, srv, r.access); got != http.StatusOK {
			t.Errorf("API: %d, want 200", got)
		}
		if got := srv.Stats(); got.ClientGrants != 1 || len(srv.Families()) != 0 {
			t.Errorf("%+v, families %v; want one grant and no family", got, srv.Families())
		}
	})
}

func TestTokenRequests(t *testing.T) {
	const (
		form  = "application/x-www-form-urlencoded"
		grant = "grant_type=client_credentials"
		post  = "&client_id=me&client_secret=s%25+%2B"
	)
	srv := newServer(t, tokentest.Options{ClientID: "me", ClientSecret: "s% +"})
	for _, test := range []struct {
		name, method, contentType, body string
		basic                           [2]string
		status                          int
		code                            string
	}{
		{name: "post", body: grant + post, status: 200},
		{name: "basic, form-encoded", body: grant, basic: [2]string{"me", "s%25+%2B"}, status: 200},
		{name: "basic and client_id", body: grant + "&client_id=me", basic: [2]string{"me", "s%25+%2B"}, status: 200},
		{name: "basic, not encoded", body: grant, basic: [2]string{"me", "s% +"}, status: 401, code: "invalid_client"},
		{name: "both", body: grant + post, basic: [2]string{"me", "s%25+%2B"}, status: 400, code: "invalid_request"},
		{name: "wrong secret", body: grant + "&client_id=me&client_secret=x", status: 401, code: "invalid_client"},
		{name: "nobody", body: grant, status: 401, code: "invalid_client"},
		{name: "twice", body: grant + post + "&scope=a&scope=b", status: 400, code: "invalid_request"},
		{name: "no grant", body: post[1:], status: 400, code: "unsupported_grant_type"},
		{name: "strange grant", body: "grant_type=password" + post, status: 400, code: "unsupported_grant_type"},
		{name: "no refresh token", body: "grant_type=refresh_token" + post, status: 400, code: "invalid_request"},
		{name: "json", contentType: "application/json", body: "{}", status: 400, code: "invalid_request"},
		{name: "get", method: http.MethodGet, status: 400, code: "invalid_request"},
	} {
		if test.method == "" {
			test.method = http.MethodPost
		}
		if test.contentType == "" {
			test.contentType = form
		}
		req, err := http.NewRequest(test.method, srv.TokenURL(), strings.NewReader(test.body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", test.contentType)
		if test.basic[0] != "" {
			req.SetBasicAuth(test.basic[0], test.basic[1])
		}
		resp, err := srv.Client().Do(req)
		if err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != test.status || !strings.Contains(string(body), `"`+test.code) {
			t.Errorf("%s: %d %s, want %d %s", test.name, resp.StatusCode, body, test.status, test.code)
		}
		if challenge := resp.Header.Get("WWW-Authenticate"); (challenge != "") != (test.status == 401) {
			t.Errorf("%s: WWW-Authenticate %q", test.name, challenge)
		}
	}
}

// Of many callers with one refresh token one is served, and the family dies of the others.
func TestConcurrentRefreshes(t *testing.T) {
	both(t, tokentest.Options{}, func(t *testing.T, srv *tokentest.Server) {
		const callers = 20
		token := srv.Login().RefreshToken
		var served [callers]bool
		var wg sync.WaitGroup
		for i := range callers {
			wg.Go(func() {
				r, err := refresh(srv, token)
				if err != nil {
					t.Error(err)
				}
				served[i] = r.access != ""
			})
		}
		wg.Wait()
		winners := 0
		for _, ok := range served {
			if ok {
				winners++
			}
		}
		got := srv.Stats()
		if winners != 1 || got.Refreshes != 1 || got.Reuses != callers-1 || got.TokenCalls != callers {
			t.Errorf("%d served, %+v", winners, got)
		}
		if f := srv.Families()[0]; f.Alive || !f.RevokedByReuse {
			t.Errorf("%+v, want it revoked by reuse", f)
		}
	})
}
