package integration

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/oauth"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// limit is how long a test waits for something that must happen.
const limit = 2 * time.Minute

// A server is an authorization server that runs, and what was registered there. What
// it does not know is zero.
type server struct {
	issuer   string // "": it tells nothing about itself
	endpoint oauth2.Endpoint

	revokeURL     string
	introspectURL string
	userURL       string                    // an API: it wants the access token of a user
	rejected      func(*http.Response) bool // how it says that it does not take one; nil: as usual

	// Clients that users log in with: app and tv have no secret, keyed has the private
	// key of these tests. params are what the address of the login needs.
	app, tv, keyed oauth2.Config
	params         url.Values

	// Clients that act for themselves, with the secret that secretOf gives: one sends
	// it in the header, one in the form.
	service, poster clientcredentials.Config

	user browser // who logs in

	tls *tls.Config // how to talk to it by https
}

// A kind is a server that can be started. lacks says what it does not know, and why.
type kind struct {
	name  string
	start func(t testing.TB, life time.Duration) *server
	lacks map[string]string
}

var kinds = []kind{oidcProvider, zitadelOIDC, oryFosite}

// secretOf is the secret of a client. Its characters are those that HTTP Basic carries
// well only if they were encoded as RFC 6749 section 2.3.1 wants it.
func secretOf(client string) string { return "secret of " + client + ", & more: %C3%A4" }

// machines fills in service and poster.
func (s *server) machines(scopes ...string) {
	s.service = clientcredentials.Config{ClientID: "service", ClientSecret: secretOf("service"), TokenURL: s.endpoint.TokenURL, Scopes: scopes}
	s.poster = clientcredentials.Config{ClientID: "poster", ClientSecret: secretOf("poster"), TokenURL: s.endpoint.TokenURL, Scopes: scopes, AuthStyle: oauth2.AuthStyleInParams}
}

// users fills in app, tv and keyed.
func (s *server) users(scopes ...string) {
	s.app = oauth2.Config{ClientID: "app", Endpoint: s.endpoint, Scopes: scopes}
	s.tv = oauth2.Config{ClientID: "tv", Endpoint: s.endpoint, Scopes: scopes}
	s.keyed = oauth2.Config{ClientID: "keyed", Endpoint: s.endpoint, Scopes: scopes}
}

// login logs the user in, with a browser, as client.
func (s *server) login(t testing.TB, client oauth2.Config, o oauth.Options) manager.Token {
	t.Helper()
	token, err := s.tryLogin(t, client, o)
	if err != nil {
		t.Fatalf("login: %v", err)
	}
	return token
}

func (s *server) tryLogin(t testing.TB, client oauth2.Config, o oauth.Options) (token manager.Token, err error) {
	o.Params = s.params
	err = s.user.with(t, func(ctx context.Context, open func(context.Context, string) error) error {
		token, err = oauth.CodeLogin(ctx, client, open, o)
		return err
	})
	return token, err
}

// tryDevice lets the user log in a device, as the client tv.
func (s *server) tryDevice(t testing.TB) (token manager.Token, err error) {
	err = s.user.with(t, func(ctx context.Context, open func(context.Context, string) error) error {
		token, err = oauth.DeviceLogin(ctx, s.tv, func(ctx context.Context, code oauth.DeviceCode) error {
			if code.UserCode == "" || code.URL == "" {
				t.Errorf("the user is shown %+v", code)
			}
			return open(ctx, code.CompleteURL)
		})
		return err
	})
	return token, err
}

// introspection is what a server says of a token (RFC 7662).
type introspection struct {
	Active   bool   `json:"active"`
	ClientID string `json:"client_id"`
	Scope    string `json:"scope"`
	Subject  string `json:"sub"`
	Bound    struct {
		Certificate string `json:"x5t#S256"`
		Key         string `json:"jkt"`
	} `json:"cnf"`
}

// introspect asks the server about a token.
func (s *server) introspect(t testing.TB, client *http.Client, token manager.Secret) introspection {
	t.Helper()
	form := url.Values{"token": {token.Reveal()}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.introspectURL, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(url.QueryEscape("api"), url.QueryEscape(secretOf("api")))
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var i introspection
	if err := json.NewDecoder(resp.Body).Decode(&i); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("introspection: %s, %v", resp.Status, err)
	}
	return i
}

// spend sends a refresh token by hand, and gives the status and the error code.
func (s *server) spend(t testing.TB, client string, refreshToken manager.Secret) (status int, code string) {
	t.Helper()
	resp, err := http.PostForm(s.endpoint.TokenURL, url.Values{
		"grant_type": {"refresh_token"}, "client_id": {client}, "refresh_token": {refreshToken.Reveal()},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var answer struct {
		Error string `json:"error"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatalf("%s: %v", resp.Status, err)
	}
	return resp.StatusCode, answer.Error
}

// get asks an API and gives the status.
func get(t testing.TB, api *http.Client, address string) int {
	t.Helper()
	resp, err := api.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}
