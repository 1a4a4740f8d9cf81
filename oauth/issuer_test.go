package oauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/oauth"
	"example.com/tokenactor/tokentest"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// Grants with no endpoint but the issuer's name; one question for all of them.
func TestIssuer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := tokentest.New(tokentest.Options{Users: map[string]string{"u": "p"}})
		defer srv.Close()
		options := oauth.Options{Client: srv.Client()}
		options.Issuer = oauth.NewIssuer(srv.Issuer(), options)
		m := begin(t, manager.Config{})
		var callers sync.WaitGroup
		for i := range 50 {
			c := m.Manage(fmt.Sprint("tenant ", i), oauth.ClientCredentials(clientcredentials.Config{
				ClientID: srv.ClientID(), ClientSecret: srv.ClientSecret()}, options))
			callers.Go(func() {
				if _, err := c.Token(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		callers.Wait()
		got, err := options.Issuer.Metadata(t.Context())
		if err != nil || got.Endpoint.TokenURL != srv.TokenURL() || got.Endpoint.AuthURL != srv.AuthURL() ||
			got.Endpoint.DeviceAuthURL != srv.DeviceURL() || got.RevokeURL != srv.RevokeURL() || got.Issuer != srv.Issuer() {
			t.Errorf("got %+v, %v", got, err)
		}
		cfg := oauth2.Config{ClientID: srv.ClientID(), ClientSecret: srv.ClientSecret()}
		token, err := oauth.DeviceLogin(t.Context(), cfg, func(_ context.Context, code oauth.DeviceCode) error {
			srv.Decide(code.UserCode, "")
			return nil
		}, options)
		if err != nil || !works(t, srv, token) {
			t.Errorf("got %v, %v", token, err)
		}
	})
}

const issued = `{"issuer":"https://auth.example.com/tenant","token_endpoint":"https://tokens.example.com/t",` +
	`"mtls_endpoint_aliases":{"token_endpoint":"https://mtls.example.com/t"}}`

// A question is what an issuer was asked.
type question struct {
	url string
	at  time.Duration
}

// asking counts the questions on a wire that answers by path.
func asking(answer func(path string, n int) *http.Response) (*wire, func() []question) {
	var mu sync.Mutex
	var asked []question
	start := time.Now()
	w := &wire{}
	w.answer = func(r *http.Request) (*http.Response, error) {
		mu.Lock()
		asked = append(asked, question{r.URL.String(), time.Since(start)})
		n := len(asked)
		mu.Unlock()
		return answer(r.URL.Path, n), nil
	}
	return w, func() []question {
		mu.Lock()
		defer mu.Unlock()
		return asked
	}
}

func TestIssuerPlaces(t *testing.T) {
	for _, test := range []struct {
		at   string // the place that answers well
		want []string
	}{
		{"/.well-known/oauth-authorization-server/tenant", []string{"https://auth.example.com/.well-known/oauth-authorization-server/tenant"}},
		{"/tenant/.well-known/openid-configuration", []string{"https://auth.example.com/.well-known/oauth-authorization-server/tenant",
			"https://auth.example.com/tenant/.well-known/openid-configuration"}},
	} {
		w, asked := asking(func(path string, _ int) *http.Response {
			if path == test.at {
				return response(200, issued)
			}
			return response(200, page, "Content-Type", asHTML) // as programs of one page do
		})
		i := oauth.NewIssuer("https://auth.example.com/tenant", w.options())
		got, err := i.Metadata(t.Context())
		if err != nil || got.Endpoint.TokenURL != "https://tokens.example.com/t" {
			t.Errorf("%s: got %+v, %v", test.at, got, err)
		}
		var urls []string
		for _, q := range asked() {
			urls = append(urls, q.url)
		}
		if fmt.Sprint(urls) != fmt.Sprint(test.want) {
			t.Errorf("asked %v, want %v", urls, test.want)
		}
		if w.sent[0].method != "GET" {
			t.Errorf("asked by %s", w.sent[0].method)
		}
	}
}

func TestIssuerRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		status int
		body   string
		header []string
		want   string
	}{
		"another issuer":  {200, strings.Replace(issued, "/tenant", "", 1), nil, `the document is that of another issuer, "https://auth.example.com"`},
		"a slash more":    {200, strings.Replace(issued, "/tenant", "/tenant/", 1), nil, `the document is that of another issuer, "https://auth.example.com/tenant/"`},
		"no issuer":       {200, `{}`, nil, `the document is that of another issuer, ""`},
		"no JSON":         {200, page, nil, "no document of metadata"},
		"not there":       {404, ``, nil, "answered 404"},
		"too much":        {200, `{"x":"` + strings.Repeat("x", 1<<20) + `"}`, nil, "answered more than 1 MiB"},
		"led away":        {307, ``, []string{"Location", "https://evil.example.com/x?y"}, "answered 307, a redirect to https://evil.example.com/x that is not followed"},
		"moved away":      {301, ``, []string{"Location", "https://evil.example.com/"}, "answered 301, a redirect to https://evil.example.com/ that is not followed"},
		"led to http":     {308, ``, []string{"Location", "http://auth.example.com/"}, "answered 308, a redirect to http://auth.example.com/ that is not followed"},
		"moved to a user": {302, ``, []string{"Location", "https://me@auth.example.com/"}, "answered 302, a redirect to https://auth.example.com/ that is not followed"},
		"moved nowhere":   {303, ``, nil, "answered 303"},
	} {
		w, asked := asking(func(string, int) *http.Response { return response(test.status, test.body, test.header...) })
		_, err := oauth.NewIssuer("https://auth.example.com/tenant", w.options()).Metadata(t.Context())
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "oauth: the issuer https://auth.example.com/tenant could not be discovered: ") {
			t.Errorf("%s: got %v, want %s", name, err, test.want)
		}
		if n := len(asked()); n != 2 {
			t.Errorf("%s: %d questions, want two", name, n)
		}
	}
	for identifier, want := range map[string]string{
		"":                            "oauth: the issuer has no name: it is a URL such as https://auth.example.com",
		"http://auth.example.com":     "would send secrets unencrypted",
		"https://auth.example.com?x=": "oauth: the issuer has a query",
	} {
		i := oauth.NewIssuer(identifier)
		if _, err := i.Metadata(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", identifier, err, want)
		}
	}
}

// A question is a GET: it follows every redirect within the origin of the issuer, five
// in all.
func TestIssuerRedirects(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		for hops := range 8 {
			w, asked := asking(func(path string, n int) *http.Response {
				switch {
				case strings.HasPrefix(path, "/.well-known/openid"), n > 6:
					return response(404, "")
				case n <= hops:
					return response(status, "", "Location", fmt.Sprintf("https://auth.example.com:443/%d?x=%d", n, n))
				}
				return response(200, issued)
			})
			_, err := oauth.NewIssuer("https://auth.example.com/tenant", w.options()).Metadata(t.Context())
			if (err == nil) != (hops <= 5) {
				t.Errorf("%d, %d in a row: got %v", status, hops, err)
			}
			for _, r := range w.sent {
				if r.method != "GET" {
					t.Errorf("%d: a %s to %s", status, r.method, r.url)
				}
			}
			if n := len(asked()); err == nil && n != hops+1 {
				t.Errorf("%d, %d in a row: %d questions", status, hops, n)
			}
		}
	}
}

// Whoever names an issuer of https does not choose what on this machine gets a secret.
func TestIssuerNamesThisMachine(t *testing.T) {
	const document = `{"issuer":%q,"token_endpoint":%q,"authorization_endpoint":%[2]q,"device_authorization_endpoint":%[2]q,` +
		`"revocation_endpoint":%[2]q,"mtls_endpoint_aliases":{"token_endpoint":%[2]q}}`
	for _, test := range []struct {
		issuer, endpoint string
		allowHTTP, sent  bool
	}{
		{"https://auth.example.com", "http://127.0.0.1:8080/v1/agent", false, false},
		{"https://auth.example.com", "http://localhost/v1/agent", false, false},
		{"https://auth.example.com", "http://[::ffff:127.0.0.1]/v1/agent", false, false},
		{"https://127.0.0.1", "http://127.0.0.1/v1/agent", false, false},
		{"https://auth.example.com", "http://127.0.0.1:8080/v1/agent", true, true},
		{"https://auth.example.com", "https://127.0.0.1:8443/v1/agent", false, true},
		{"http://127.0.0.1:8080", "http://127.0.0.1:8080/v1/agent", false, true},
	} {
		for _, auth := range []oauth.ClientAuth{{}, oauth.TLSClientAuth()} {
			w, _ := asking(func(path string, _ int) *http.Response {
				if path == "/v1/agent" {
					return response(200, `{"access_token":"at-1","device_code":"at-2","user_code":"AB","verification_uri":"https://auth.example.com/go"}`)
				}
				return response(200, fmt.Sprintf(document, test.issuer, test.endpoint))
			})
			options := w.options()
			options.AllowHTTP, options.Auth, options.Revoke = test.allowHTTP, auth, true
			options.Issuer = oauth.NewIssuer(test.issuer, options)
			cfg := oauth2.Config{ClientID: "x"}
			r := oauth.RefreshToken(cfg, options)
			token := manager.Token{RefreshToken: manager.NewSecret("at-3")}
			_, refreshed := r.Refresh(t.Context(), "x", token)
			revoked := r.(manager.Revoker).Revoke(t.Context(), "x", token)
			shown, opened := errors.New("shown"), errors.New("opened")
			_, device := oauth.DeviceLogin(t.Context(), cfg, func(context.Context, oauth.DeviceCode) error { return shown }, options)
			_, code := oauth.CodeLogin(t.Context(), cfg, func(context.Context, string) error { return opened }, options)
			got := []bool{refreshed == nil, revoked == nil, errors.Is(device, shown), errors.Is(code, opened)}
			if slices.Contains(got, !test.sent) {
				t.Errorf("%s names %s, AllowHTTP %v: refresh, revocation, device login, code login: got %v, want %v of all",
					test.issuer, test.endpoint, test.allowHTTP, got, test.sent)
			}
			for _, sent := range w.sent {
				if !test.sent && strings.HasSuffix(sent.url, "/v1/agent") {
					t.Errorf("%s: sent to %s", test.issuer, sent.url)
				}
			}
			if !test.sent && !strings.Contains(fmt.Sprint(refreshed), "is not https, as the issuer is (RFC 8414 section 2)") {
				t.Errorf("got %v, want an error that says why", refreshed)
			}
		}
	}
}

// What the issuer says of its endpoints is held to the rules of the configured ones.
func TestIssuerEndpoints(t *testing.T) {
	for _, test := range []struct {
		endpoint string
		auth     oauth.ClientAuth
		sent     string
		want     string
	}{
		{"https://tokens.example.com/t", oauth.ClientAuth{}, "https://tokens.example.com/t", ""},
		{"https://tokens.example.com/t", oauth.TLSClientAuth(), "https://mtls.example.com/t", ""},
		{"http://tokens.example.com/t", oauth.ClientAuth{}, "", "oauth: the issuer's token endpoint http://tokens.example.com would send secrets unencrypted: use https, or set Options.AllowHTTP"},
		{"", oauth.ClientAuth{}, "", "oauth: the issuer https://auth.example.com/tenant names no token endpoint"},
	} {
		w, _ := asking(func(path string, _ int) *http.Response {
			if path == "/t" {
				return response(200, good)
			}
			return response(200, strings.Replace(issued, "https://tokens.example.com/t", test.endpoint, 1))
		})
		options := w.options()
		options.Issuer, options.Auth = oauth.NewIssuer("https://auth.example.com/tenant", options), test.auth
		_, err := oauth.ClientCredentials(clientcredentials.Config{ClientID: "x"}, options).Refresh(t.Context(), "x", manager.Token{})
		if test.want != "" {
			checkMarks(t, err, declined)
			if err == nil || err.Error() != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
			continue
		}
		if last := w.sent[len(w.sent)-1]; err != nil || last.url != test.sent {
			t.Errorf("got %v, sent to %s, want %s", err, last.url, test.sent)
		}
	}
}

// How long an answer is kept, that an old one is better than none, and that a
// failure is not repeated by everybody.
func TestIssuerCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for header, life := range map[string]time.Duration{
			"":                            time.Hour,
			"max-age=7200":                2 * time.Hour,
			`public, Max-Age="7200"`:      2 * time.Hour,
			"max-age=1":                   time.Minute,
			"no-store, max-age=7200":      time.Minute,
			"max-age=99999999999999999":   24 * time.Hour,
			"max-age=soon, s-maxage=7200": time.Hour,
		} {
			w, asked := asking(func(string, int) *http.Response { return response(200, issued, "Cache-Control", header) })
			i := oauth.NewIssuer("https://auth.example.com/tenant", w.options())
			for _, wait := range []time.Duration{0, life - time.Second, 2 * time.Second} {
				time.Sleep(wait)
				if _, err := i.Metadata(t.Context()); err != nil {
					t.Error(err)
				}
			}
			if n := len(asked()); n != 2 {
				t.Errorf("%q: asked %d times in %v and a second, want twice", header, n, life)
			}
		}
	})
	synctest.Test(t, func(t *testing.T) {
		w, asked := asking(func(_ string, n int) *http.Response {
			if n == 1 || n > 7 {
				return response(200, issued)
			}
			return response(503, "")
		})
		i := oauth.NewIssuer("https://auth.example.com/tenant", w.options())
		for range 6 {
			if got, err := i.Metadata(t.Context()); err != nil || got.Endpoint.TokenURL == "" {
				t.Errorf("got %+v, %v, want what was said before", got, err)
			}
			time.Sleep(time.Hour)
		}
		if n := len(asked()); n < 8 {
			t.Errorf("asked %d times", n)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		w, asked := asking(func(string, int) *http.Response { return response(503, "") })
		w.delay = time.Second
		i := oauth.NewIssuer("https://auth.example.com/tenant", w.options())
		var callers sync.WaitGroup
		for range 100 {
			callers.Go(func() {
				if _, err := i.Metadata(t.Context()); err == nil {
					t.Error("no error")
				}
			})
		}
		callers.Wait()
		if n := len(asked()); n != 2 {
			t.Errorf("a hundred callers asked %d times, want one try of two places", n)
		}
		time.Sleep(6 * time.Second)
		i.Metadata(t.Context())
		if n := len(asked()); n != 4 {
			t.Errorf("later: asked %d times in all, want 4", n)
		}
	})
}

// A server whose metadata hangs does not stop a refresh of a short limit, once they
// are known: the token endpoint may be well.
func TestIssuerHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := false
		w := &wire{answer: func(r *http.Request) (*http.Response, error) {
			switch {
			case r.URL.Path == "/t":
				return response(200, good), nil
			case hangs:
				<-r.Context().Done()
				return nil, r.Context().Err()
			}
			return response(200, issued), nil
		}}
		options := w.options()
		options.Issuer = oauth.NewIssuer("https://auth.example.com/tenant", options)
		r := oauth.ClientCredentials(clientcredentials.Config{ClientID: "x"}, options)
		refresh := func(limit time.Duration) error {
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			_, err := r.Refresh(ctx, "x", manager.Token{})
			return err
		}
		if err := refresh(5 * time.Second); err != nil {
			t.Fatal(err)
		}
		hangs = true
		time.Sleep(2 * time.Hour)
		if err := refresh(5 * time.Second); err != nil {
			t.Errorf("with what was said before: %v", err)
		}
		time.Sleep(2 * time.Hour)
		if err := refresh(time.Second); err == nil {
			t.Error("no error of the one who asked for longer than it had")
		}
		if err := refresh(time.Second); err != nil {
			t.Errorf("the next one: %v", err)
		}
	})
}

// The end of one caller is not that of the others.
func TestIssuerCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		w := &wire{answer: func(r *http.Request) (*http.Response, error) {
			select {
			case <-hold:
				return response(200, issued), nil
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
		}}
		i := oauth.NewIssuer("https://auth.example.com/tenant", w.options())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		time.AfterFunc(2*time.Second, func() { close(hold) })
		var callers sync.WaitGroup
		for n := range 3 {
			callers.Go(func() {
				time.Sleep(time.Duration(n)) // the one with the limit is first
				mine := t.Context()
				if n == 0 {
					mine = ctx
				}
				_, err := i.Metadata(mine)
				if (n == 0) != errors.Is(err, context.DeadlineExceeded) || n > 0 && err != nil {
					t.Errorf("caller %d: got %v", n, err)
				}
			})
		}
		callers.Wait()
	})
}
