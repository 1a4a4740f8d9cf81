package oauth_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/oauth"
	"example.com/tokenactor/tokentest"
	"golang.org/x/oauth2"
)

// browser opens an address at srv and goes where that sends it, as a user would.
func browser(srv *tokentest.Server) func(context.Context, string) error {
	return func(ctx context.Context, at string) error {
		target, err := sentTo(srv, at)
		if err != nil {
			return err
		}
		_, _, err = visit(target)
		return err
	}
}

// sentTo gives where srv redirects the browser.
func sentTo(srv *tokentest.Server, at string) (string, error) {
	c := srv.Client()
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := c.Get(at)
	if err != nil {
		return "", err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusFound {
		return "", fmt.Errorf("the authorization endpoint answered %d", resp.StatusCode)
	}
	return resp.Header.Get("Location"), nil
}

// visit opens a page on this machine.
func visit(target string) (status int, text string, err error) {
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get(target)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

// visitAs opens it under a name that leads here, as a page that rebinds its own does.
func visitAs(host, target string) (status int, err error) {
	req, err := http.NewRequest("GET", target, nil)
	if err != nil {
		return 0, err
	}
	req.Host = host
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	resp.Body.Close()
	return resp.StatusCode, nil
}

func TestCodeLogin(t *testing.T) {
	for _, redirect := range []string{"", "http://127.0.0.1/callback", "http://localhost/", "http://127.0.0.1"} {
		srv := tokentest.New(tokentest.Options{Public: true})
		cfg := configOf(srv, "read", "write")
		cfg.ClientSecret, cfg.RedirectURL = "", redirect
		var address string
		open := func(ctx context.Context, at string) error {
			u, err := url.Parse(at)
			if err != nil {
				return err
			}
			address = u.Query().Get("redirect_uri")
			return browser(srv)(ctx, at)
		}
		token, err := oauth.CodeLogin(t.Context(), cfg, open, oauth.Options{Client: srv.Client()})
		if err != nil {
			t.Fatalf("%q: %v", redirect, err)
		}
		if !works(t, srv, token) || token.RefreshToken.IsZero() || token.Scope != "read write" || token.ExpiresIn <= 0 {
			t.Errorf("%q: got %v of scope %q", redirect, token, token.Scope)
		}
		if u, err := url.Parse(address); err != nil || u.Port() == "" || redirect != "" && u.Hostname() != strings.Trim(redirect[7:16], "/") {
			t.Errorf("%q: the redirect URL was %q, want a port in it", redirect, address)
		}
		if _, _, err := visit(address); err == nil {
			t.Errorf("%q: the listener is still there", redirect)
		}
		srv.Close()
	}
}

// A login, managed from then on: what CodeLogin gives is what RefreshToken goes on with.
func TestCodeLoginGoesOn(t *testing.T) {
	srv := tokentest.New(tokentest.Options{})
	defer srv.Close()
	options := oauth.Options{Client: srv.Client()}
	login, err := oauth.CodeLogin(t.Context(), configOf(srv), browser(srv), options)
	if err != nil {
		t.Fatal(err)
	}
	c := begin(t, manager.Config{}).Manage("user", oauth.RefreshToken(configOf(srv), options))
	install(t, c, login)
	token, err := c.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if token, err = c.Renew(t.Context(), token); err != nil || !works(t, srv, *token) {
		t.Errorf("got %v, %v", token, err)
	}
}

// What the browser brings is believed only if it belongs to this login.
func TestCodeLoginRedirects(t *testing.T) {
	change := func(name, value string) func(url.Values) {
		return func(q url.Values) {
			if value == "" {
				q.Del(name)
			} else {
				q.Set(name, value)
			}
		}
	}
	for _, test := range []struct {
		name       string
		change     func(url.Values)
		discovered bool
		status     int
		want       string // of the error; "": a token
	}{
		{"as sent", change("x", "y"), true, 200, ""},
		{"another issuer", change("iss", "https://evil.example.com"), true, 400,
			"oauth: the redirect comes from another issuer than https://auth.example.com (RFC 9207): the login may be under attack"},
		{"no issuer", change("iss", ""), true, 400,
			"oauth: the redirect does not say that it comes from https://auth.example.com, which always does (RFC 9207): the login may be under attack"},
		{"no issuer, none known", change("iss", ""), false, 200, ""},
		{"no code", change("code", ""), false, 400, "oauth: the authorization endpoint answered: neither a code nor an error"},
		{"another code", change("code", "at-guessed"), false, 200, "oauth: the token endpoint answered 400 invalid_grant"},
	} {
		srv := tokentest.New(tokentest.Options{})
		options := oauth.Options{Client: srv.Client()}
		if test.discovered {
			options.Issuer = oauth.NewIssuer(srv.Issuer(), options)
		}
		open := func(_ context.Context, at string) error {
			target, err := sentTo(srv, at)
			if err != nil {
				return err
			}
			u, err := url.Parse(target)
			if err != nil {
				return err
			}
			q := u.Query()
			for _, state := range []string{"", "guessed"} { // these end nothing
				wrong := *u
				q := u.Query()
				q.Set("state", state)
				wrong.RawQuery = q.Encode()
				if status, _, err := visit(wrong.String()); err != nil || status != 400 {
					t.Errorf("%s: with state %q the browser got %d, %v", test.name, state, status, err)
				}
			}
			if status, _, err := visit("http://" + u.Host + "/favicon.ico"); err != nil || status != 404 {
				t.Errorf("%s: another path: %d, %v", test.name, status, err)
			}
			if status, err := visitAs("elsewhere.example.com", u.String()); err != nil || status != 404 {
				t.Errorf("%s: by another name the browser got %d, %v", test.name, status, err)
			}
			test.change(q)
			u.RawQuery = q.Encode()
			status, text, err := visit(u.String())
			if status != test.status || strings.Contains(text, q.Get("code")) && q.Get("code") != "" {
				t.Errorf("%s: the browser got %d %q, want %d", test.name, status, text, test.status)
			}
			return err
		}
		token, err := oauth.CodeLogin(t.Context(), configOf(srv), open, options)
		switch {
		case test.want == "" && (err != nil || !works(t, srv, token)):
			t.Errorf("%s: got %v, %v", test.name, token, err)
		case test.want != "" && (err == nil || err.Error() != test.want):
			t.Errorf("%s\n got %v\nwant %s", test.name, err, test.want)
		}
		srv.Close()
	}
}

func TestCodeLoginDenied(t *testing.T) {
	srv := tokentest.New(tokentest.Options{Consent: func(url.Values) string { return "access_denied" }})
	defer srv.Close()
	_, err := oauth.CodeLogin(t.Context(), configOf(srv), browser(srv), oauth.Options{Client: srv.Client()})
	if want := "oauth: the authorization endpoint answered access_denied"; !errors.Is(err, oauth.ErrDenied) || err.Error() != want {
		t.Errorf("got %v, want ErrDenied: %s", err, want)
	}
}

// What the browser is sent with: with DPoP the code is bound to the key (RFC 9449
// section 10), and no login begins at a server that refuses S256.
func TestCodeLoginRequest(t *testing.T) {
	srv := tokentest.New(tokentest.Options{DPoP: true})
	defer srv.Close()
	var q url.Values
	open := func(_ context.Context, at string) error {
		u, err := url.Parse(at)
		q = u.Query()
		return errors.Join(err, errors.New("that is all"))
	}
	cfg := configOf(srv, "a", "b")
	cfg.Endpoint.AuthURL += "?tenant=7"
	options := oauth.Options{Client: srv.Client(), DPoP: oauth.NewDPoP(keyOf(t, "EdDSA")), Resources: []string{"https://x.example.com", "https://y.example.com"},
		Params: url.Values{"prompt": {"consent"}}}
	if _, err := oauth.CodeLogin(t.Context(), cfg, open, options); err == nil {
		t.Error("no error")
	}
	for name, want := range map[string]int{"state": 26, "code_challenge": 43, "dpop_jkt": 43} {
		if len(q.Get(name)) != want {
			t.Errorf("%s: got %q, want %d characters", name, q.Get(name), want)
		}
		q.Del(name)
	}
	q.Del("redirect_uri")
	if want := "client_id=client&code_challenge_method=S256&prompt=consent&resource=https%3A%2F%2Fx.example.com&resource=https%3A%2F%2Fy.example.com&response_type=code&scope=a+b&tenant=7"; q.Encode() != want {
		t.Errorf("got %s\nwant %s", q.Encode(), want)
	}

	w := answering(200, `{"issuer":"https://auth.example.com","authorization_endpoint":"https://auth.example.com/a",`+
		`"token_endpoint":"https://auth.example.com/t","code_challenge_methods_supported":["plain"]}`)
	options = w.options()
	options.Issuer = oauth.NewIssuer("https://auth.example.com", options)
	_, err := oauth.CodeLogin(t.Context(), oauth2.Config{ClientID: "x"}, open, options)
	if want := "oauth: the issuer https://auth.example.com does not offer PKCE with S256, without which a code can be stolen"; text(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// The ways in which it ends before anything is exchanged.
func TestCodeLoginErrors(t *testing.T) {
	srv := tokentest.New(tokentest.Options{})
	defer srv.Close()
	options := oauth.Options{Client: srv.Client()}
	cause := errors.New("the user closed the window")
	ctx, cancel := context.WithCancelCause(t.Context())
	_, err := oauth.CodeLogin(ctx, configOf(srv), func(context.Context, string) error { cancel(cause); return nil }, options)
	if !errors.Is(err, cause) {
		t.Errorf("got %v, want the cause of the end", err)
	}
	_, err = oauth.CodeLogin(t.Context(), configOf(srv), func(context.Context, string) error { return errors.New("no browser") }, options)
	if want := "oauth: the address of the login could not be opened: no browser"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	for _, redirect := range []string{"https://127.0.0.1/", "http://example.com/", "http://127.0.0.1/?x=1", "myapp:/callback", "%"} {
		cfg := configOf(srv)
		cfg.RedirectURL = redirect
		_, err := oauth.CodeLogin(t.Context(), cfg, nil, options)
		if want := "oauth: RedirectURL must be one of http on this machine, such as http://127.0.0.1/callback; the port may be left out"; err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", redirect, err, want)
		}
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	cfg := configOf(srv)
	cfg.RedirectURL = "http://" + taken.Addr().String() + "/"
	if _, err := oauth.CodeLogin(t.Context(), cfg, nil, options); err == nil || !strings.HasPrefix(err.Error(), "oauth: no listener for the redirect: ") {
		t.Errorf("a port that is taken: got %v", err)
	}
	cfg = configOf(srv)
	cfg.Endpoint.AuthURL = ""
	if _, err := oauth.CodeLogin(t.Context(), cfg, nil, options); err == nil || err.Error() != "oauth: the configuration has no AuthURL" {
		t.Errorf("got %v", err)
	}
	options.Params = url.Values{"state": {"mine"}}
	if _, err := oauth.CodeLogin(t.Context(), configOf(srv), nil, options); err == nil || err.Error() != `oauth: Options.Params has "state", which the grant sets itself` {
		t.Errorf("got %v", err)
	}
}

// The browser is sent to the endpoint for browsers, not to one that wants the
// program's certificate.
func TestCodeLoginByTLS(t *testing.T) {
	w, _ := asking(func(string, int) *http.Response {
		return response(200, `{"issuer":"https://auth.example.com","authorization_endpoint":"https://auth.example.com/login","token_endpoint":"https://auth.example.com/t",`+
			`"mtls_endpoint_aliases":{"authorization_endpoint":"https://mtls.example.com/login"}}`)
	})
	options := w.options()
	options.Auth, options.Issuer = oauth.TLSClientAuth(), oauth.NewIssuer("https://auth.example.com", options)
	cfg := userConfig()
	cfg.Endpoint.TokenURL = ""
	stop := errors.New("seen")
	_, err := oauth.CodeLogin(t.Context(), cfg, func(_ context.Context, at string) error {
		if !strings.HasPrefix(at, "https://auth.example.com/login?") {
			t.Errorf("opened %s", at)
		}
		return stop
	}, options)
	if !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
}
