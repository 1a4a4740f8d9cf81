package oauth_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/oauth"
	"example.com/tokenactor/tokentest"
	"golang.org/x/oauth2"
)

const jwtBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer"

// signers are private keys of every kind.
var signers = sync.OnceValue(func() map[string]crypto.Signer {
	rs, err1 := rsa.GenerateKey(rand.Reader, 2048)
	es, err2 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	_, ed, err3 := ed25519.GenerateKey(rand.Reader)
	if err := errors.Join(err1, err2, err3); err != nil {
		panic(err)
	}
	return map[string]crypto.Signer{"RS256": rs, "ES256": es, "EdDSA": ed}
})

// keyOf is one of them as a Key.
func keyOf(t testing.TB, algorithm string) oauth.Key {
	t.Helper()
	k, err := oauth.NewKey(signers()[algorithm], "key-1")
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func configOf(srv *tokentest.Server, scopes ...string) oauth2.Config {
	return oauth2.Config{
		ClientID:     srv.ClientID(),
		ClientSecret: srv.ClientSecret(),
		Endpoint:     oauth2.Endpoint{TokenURL: srv.TokenURL(), AuthURL: srv.AuthURL(), DeviceAuthURL: srv.DeviceURL()},
		Scopes:       scopes,
	}
}

// works reports whether the API takes the token.
func works(t *testing.T, srv *tokentest.Server, token manager.Token) bool {
	t.Helper()
	req, err := http.NewRequest("GET", srv.APIURL(), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header["Authorization"] = token.Authorization()
	resp, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode == 200
}

func TestJWTBearer(t *testing.T) {
	for algorithm, signer := range signers() {
		synctest.Test(t, func(t *testing.T) {
			srv := tokentest.New(tokentest.Options{AssertionKey: signer.Public()})
			defer srv.Close()
			for _, audience := range []string{srv.TokenURL(), srv.Issuer()} {
				assertion := keyOf(t, algorithm).Assertion(oauth.Claims{Issuer: "robot@example.com", Audience: audience})
				r := oauth.JWTBearer(configOf(srv, "read"), assertion, oauth.Options{Client: srv.Client()})
				for range 2 { // each with a jti of its own
					token, err := r.Refresh(t.Context(), "robot", manager.Token{})
					if err != nil {
						t.Fatalf("%s: %v", algorithm, err)
					}
					if !works(t, srv, token) || token.Scope != "read" || !token.RefreshToken.IsZero() {
						t.Errorf("%s: got %v of scope %q, want one that works", algorithm, token, token.Scope)
					}
				}
			}
			wrong := keyOf(t, algorithm).Assertion(oauth.Claims{Issuer: "robot@example.com", Audience: "https://other.example.com"})
			_, err := oauth.JWTBearer(configOf(srv), wrong, oauth.Options{Client: srv.Client()}).Refresh(t.Context(), "robot", manager.Token{})
			checkMarks(t, err, permanent)
		})
	}
}

// An assertion from elsewhere; a client without a name; and what is sent.
func TestJWTBearerForm(t *testing.T) {
	w := answering(200, `{"access_token":"at-1","refresh_token":"at-unwanted"}`)
	fetched := func(context.Context, time.Time) (string, error) { return "at-assertion", nil }
	cfg := oauth2.Config{Endpoint: oauth2.Endpoint{TokenURL: tokenURL}, Scopes: []string{"a", "b"}}
	options := w.options()
	options.Resources = []string{"https://api.example.com/a", "https://api.example.com/b"}
	options.Params = url.Values{"account": {"7"}}
	token, err := oauth.JWTBearer(cfg, fetched, options).Refresh(t.Context(), "x", manager.Token{})
	if err != nil || !token.RefreshToken.IsZero() {
		t.Fatalf("got %v, %v, want a token without a refresh token", token, err)
	}
	want := url.Values{"grant_type": {jwtBearer}, "assertion": {"at-assertion"}, "scope": {"a b"},
		"resource": options.Resources, "account": {"7"}}
	if got := w.sent[0]; got.form.Encode() != want.Encode() || got.header.Get("Authorization") != "" {
		t.Errorf("sent %v with %q, want %v and no client", got.form, got.header.Get("Authorization"), want)
	}

	broken := func(context.Context, time.Time) (string, error) {
		return "", manager.Permanent(errors.New("no key file"))
	}
	_, err = oauth.JWTBearer(cfg, broken, options).Refresh(t.Context(), "x", manager.Token{})
	if want := "oauth: no assertion: no key file"; err == nil || err.Error() != want || len(w.sent) != 1 {
		t.Errorf("got %v, %d requests, want %s and none", err, len(w.sent), want)
	}
	options.Params = url.Values{"assertion": {"mine"}}
	_, err = oauth.JWTBearer(cfg, fetched, options).Refresh(t.Context(), "x", manager.Token{})
	checkMarks(t, err, permanent)
	if want := `oauth: Options.Params has "assertion", which the grant sets itself`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestPassword(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := tokentest.New(tokentest.Options{Users: map[string]string{"alice": "at-password"}})
		defer srv.Close()
		r := oauth.Password(configOf(srv, "read"), "alice", manager.NewSecret("at-password"), oauth.Options{Client: srv.Client()})
		token, err := r.Refresh(t.Context(), "alice", manager.Token{})
		if err != nil || !works(t, srv, token) || !token.RefreshToken.IsZero() || token.Scope != "read" {
			t.Errorf("got %v, %v, want one that works, without a refresh token", token, err)
		}
		checkSecrets(t, r)
		wrong := oauth.Password(configOf(srv), "alice", manager.NewSecret("at-guess"), oauth.Options{Client: srv.Client()})
		_, err = wrong.Refresh(t.Context(), "alice", manager.Token{})
		checkMarks(t, err, permanent)
		checkSecrets(t, err, wrong)
	})
}

func TestPrivateKeyJWT(t *testing.T) {
	for algorithm, signer := range signers() {
		synctest.Test(t, func(t *testing.T) {
			srv := tokentest.New(tokentest.Options{ClientKey: signer.Public()})
			defer srv.Close()
			issuer := oauth.NewIssuer(srv.Issuer(), oauth.Options{Client: srv.Client()})
			for name, options := range map[string]oauth.Options{
				"token endpoint": {Auth: oauth.PrivateKeyJWT(keyOf(t, algorithm), "")},
				"issuer":         {Auth: oauth.PrivateKeyJWT(keyOf(t, algorithm), ""), Issuer: issuer},
				"told":           {Auth: oauth.PrivateKeyJWT(keyOf(t, algorithm), srv.Issuer())},
			} {
				options.Client = srv.Client()
				cfg := configOf(srv)
				cfg.ClientSecret = ""
				prev := manager.Token{RefreshToken: manager.NewSecret(srv.Login().RefreshToken)}
				for range 2 {
					var err error
					if prev, err = oauth.RefreshToken(cfg, options).Refresh(t.Context(), "x", prev); err != nil {
						t.Fatalf("%s, %s: %v", algorithm, name, err)
					}
				}
			}
			other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			k, err := oauth.NewKey(other, "")
			if err != nil {
				t.Fatal(err)
			}
			_, err = oauth.RefreshToken(configOf(srv), oauth.Options{Client: srv.Client(), Auth: oauth.PrivateKeyJWT(k, "")}).Refresh(t.Context(), "x",
				manager.Token{RefreshToken: manager.NewSecret(srv.Login().RefreshToken)})
			checkMarks(t, err, permanent)
		})
	}
}

// What it says of its audience, where nobody has told it: the issuer if that is known.
func TestPrivateKeyJWTAudience(t *testing.T) {
	for issuer, want := range map[*oauth.Issuer]string{
		nil: tokenURL,
		oauth.NewIssuer("https://issuer.example.com"): "https://issuer.example.com",
	} {
		w := answering(200, good)
		options := w.options()
		options.Auth, options.Issuer = oauth.PrivateKeyJWT(keyOf(t, "ES256"), ""), issuer
		cfg := clientConfig()
		cfg.TokenURL += "?tenant=7"
		if _, err := oauth.ClientCredentials(cfg, options).Refresh(t.Context(), "x", manager.Token{}); err != nil {
			t.Fatal(err)
		}
		sent := w.sent[0].form
		_, claims := readJWS(t, sent.Get("client_assertion"))
		if claims["aud"] != want || claims["iss"] != "crawler" || claims["sub"] != "crawler" || sent.Has("client_secret") || w.sent[0].header.Get("Authorization") != "" {
			t.Errorf("sent %v with %v, want the audience %s and no secret", sent, claims, want)
		}
	}
}

// Revocation and a device login say the same audience as a token request.
func TestPrivateKeyJWTAudienceElsewhere(t *testing.T) {
	w := answering(400, `{"error":"invalid_request"}`)
	options := w.options()
	options.Auth, options.Revoke, options.RevokeURL = oauth.PrivateKeyJWT(keyOf(t, "ES256"), ""), true, "https://auth.example.com/revoke"
	cfg := userConfig()
	cfg.Endpoint.DeviceAuthURL = "https://auth.example.com/device"
	err := oauth.RefreshToken(cfg, options).(manager.Revoker).Revoke(t.Context(), "x", manager.Token{RefreshToken: manager.NewSecret(refreshToken)})
	_, deviceErr := oauth.DeviceLogin(t.Context(), cfg, func(context.Context, oauth.DeviceCode) error { return nil }, options)
	if err == nil || deviceErr == nil || len(w.sent) != 2 {
		t.Fatalf("got %v, %v and %d requests", err, deviceErr, len(w.sent))
	}
	for _, r := range w.sent {
		if _, claims := readJWS(t, r.form.Get("client_assertion")); claims["aud"] != tokenURL {
			t.Errorf("%s: got the audience %v, want %s", r.url, claims["aud"], tokenURL)
		}
	}
}

// A signer in some other place may fail for a while; no key at all stays none.
func TestSignerFails(t *testing.T) {
	key, err := oauth.NewKey(brokenSigner{signers()["ES256"]}, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		key  oauth.Key
		want marking
	}{{key, declined}, {oauth.Key{}, permanent}} {
		w := answering(200, good)
		options := w.options()
		options.Auth = oauth.PrivateKeyJWT(test.key, "")
		_, err := oauth.RefreshToken(userConfig(), options).Refresh(t.Context(), "x", manager.Token{RefreshToken: manager.NewSecret(refreshToken)})
		checkMarks(t, err, test.want)
		if len(w.sent) > 0 {
			t.Error("a request was sent")
		}
	}
	// An Assertion keeps the mark inside the text that tells what it was for.
	_, err = oauth.Key{}.Assertion(oauth.Claims{})(t.Context(), time.Now())
	checkMarks(t, err, permanent)
}

type brokenSigner struct{ crypto.Signer }

func (brokenSigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("the module is busy")
}

// RFC 8705: the client_id is in the form, the certificate is the connection's.
func TestTLSClientAuth(t *testing.T) {
	w := answering(200, good)
	options := w.options()
	options.Auth = oauth.TLSClientAuth()
	cfg := userConfig()
	if _, err := oauth.RefreshToken(cfg, options).Refresh(t.Context(), "x", manager.Token{RefreshToken: manager.NewSecret(refreshToken)}); err != nil {
		t.Fatal(err)
	}
	got := w.sent[0]
	if want := (url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refreshToken}, "client_id": {"crawler"}}); got.form.Encode() != want.Encode() || got.header.Get("Authorization") != "" {
		t.Errorf("sent %v with %q, want %v", got.form, got.header.Get("Authorization"), want)
	}
	options.Client = nil
	_, err := oauth.RefreshToken(cfg, options).Refresh(t.Context(), "x", manager.Token{RefreshToken: manager.NewSecret(refreshToken)})
	checkMarks(t, err, permanent)
	if want := "oauth: TLSClientAuth needs an Options.Client whose TLSClientConfig has the certificate"; text(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
	options.Client = w.options().Client
	cfg.ClientID = ""
	_, err = oauth.JWTBearer(cfg, nil, options).Refresh(t.Context(), "x", manager.Token{})
	checkMarks(t, err, permanent)
}

// Scenario 8 at the token endpoint: two scope sets are two credentials, and each asks
// for its own.
func TestScenario08TwoScopeSets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := tokentest.New(tokentest.Options{Latency: time.Second, Life: time.Minute, AssertionKey: signers()["ES256"].Public()})
		defer srv.Close()
		m := begin(t, manager.Config{})
		var callers sync.WaitGroup
		for _, scope := range []string{"read", "write"} {
			c := m.Manage("account "+scope, oauth.JWTBearer(configOf(srv, scope),
				keyOf(t, "ES256").Assertion(oauth.Claims{Issuer: "account", Audience: srv.Issuer()}), oauth.Options{Client: srv.Client()}))
			for range 50 {
				callers.Go(func() {
					for range 20 {
						token, err := c.Token(t.Context())
						if err != nil || token.Scope != scope {
							t.Errorf("%s: got scope %q, %v", c.Name(), token.Scope, err)
							return
						}
						time.Sleep(7 * time.Second)
					}
				})
			}
		}
		callers.Wait()
		var grants []string
		for _, call := range srv.Calls() {
			grants = append(grants, call.Grant)
		}
		if n := len(grants); n > 8 || slices.Contains(grants, "refresh_token") {
			t.Errorf("got %d token requests in 140 s of one-minute tokens: %v", n, grants)
		}
	})
}
