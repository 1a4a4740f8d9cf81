package integration

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/tokenactor/client"
	"example.com/tokenactor/manager"
	"example.com/tokenactor/oauth"
	"example.com/tokenactor/persist"
	"golang.org/x/oauth2/clientcredentials"
)

// Tokens that are bound: to a key, to a certificate, to an API.

// A program's own token: the first proof lacks the nonce, and none does after it.
func TestDPoP(t *testing.T) {
	each(t, dpop, func(t *testing.T, k kind) {
		s := k.start(t, 5*time.Minute)
		_, ed, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		given, err := oauth.NewKey(crypto.Signer(ed), "")
		if err != nil {
			t.Fatal(err)
		}
		for name, key := range map[string]oauth.Key{"ES256, its own": {}, "EdDSA, given": given} {
			w := s.wire(t)
			cfg := clientcredentials.Config{ClientID: "prover", ClientSecret: secretOf("prover"), TokenURL: s.endpoint.TokenURL}
			token := works(t, s, oauth.ClientCredentials(cfg, oauth.Options{Client: w.client(), DPoP: oauth.NewDPoP(key)}), "prover")
			if i := s.introspect(t, s.wire(t).client(), token.AccessToken); token.Type != "DPoP" || i.Bound.Key == "" {
				t.Errorf("%s: a token of type %s, bound to %q", name, token.Type, i.Bound.Key)
			}
			nonces := len(w.sent(func(c call) bool { return c.nonce }))
			if calls := len(w.sent(func(c call) bool { return c.proof })); calls != 3 || nonces != 1 {
				t.Errorf("%s: two tokens took %d requests, of which %d were asked for a nonce, want 3 and 1", name, calls, nonces)
			}
		}
		user(t, s)
	})
}

// user is the story of a user's login, with a key of its own that is kept in the file:
// it goes on after a restart, and nobody else can use it.
func user(t *testing.T, s *server) {
	cfg := s.app
	cfg.ClientID = "bound"
	path := filepath.Join(t.TempDir(), "tokens.db")
	var stolen *manager.Token
	for round := range 2 {
		db, err := persist.Open(path, persist.Options{})
		if err != nil {
			t.Fatal(err)
		}
		w, d := s.wire(t), oauth.NewDPoP(oauth.Key{})
		o := oauth.Options{Client: w.client(), DPoP: d}
		keeper := newKeeper(t, manager.Config{Store: db})
		u := keeper.Manage("user", oauth.RefreshToken(cfg, o))
		if round == 0 {
			if err := u.Install(t.Context(), s.login(t, cfg, o)); err != nil {
				t.Fatal(err)
			}
		}
		api := &http.Client{Transport: &client.Transport{Source: u, Place: d, Base: w}}
		for range 3 {
			if status := get(t, api, s.userURL); status != http.StatusOK {
				t.Fatalf("round %d: the API answers %d", round, status)
			}
		}
		if n, asked := len(w.sent(toAPI)), len(w.sent(func(c call) bool { return toAPI(c) && c.nonce })); n != 4 || asked != 1 {
			t.Errorf("round %d: 3 requests to the API were sent %d times, %d of them asked for a nonce, want 4 and 1", round, n, asked)
		}
		if n := len(w.refreshes()); n != 0 {
			t.Errorf("round %d: a nonce cost %d refreshes", round, n)
		}
		token, err := u.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if stolen, err = u.Renew(t.Context(), token); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if status := get(t, api, s.userURL); status != http.StatusOK {
			t.Errorf("round %d: with a renewed token the API answers %d", round, status)
		}
		if err := errors.Join(keeper.Close(), db.Close()); err != nil {
			t.Fatal(err)
		}
	}

	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.userURL, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, scheme := range []string{"Bearer ", "DPoP "} {
		req.Header.Set("Authorization", scheme+stolen.AccessToken.Reveal())
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			t.Errorf("a stolen token works as %s", scheme)
		}
	}
	thief := newKeeper(t, manager.Config{}).Manage("thief", oauth.RefreshToken(cfg, oauth.Options{DPoP: oauth.NewDPoP(oauth.Key{})}))
	if err := thief.Install(t.Context(), manager.Token{RefreshToken: stolen.RefreshToken}); err != nil {
		t.Fatal(err)
	}
	if token, err := thief.Token(t.Context()); err == nil {
		t.Errorf("a stolen refresh token brings %v", token)
	}
}

func toAPI(c call) bool { return c.grant == "" }

// The client is known by its certificate, and so are its tokens (RFC 8705).
func TestMutualTLS(t *testing.T) {
	each(t, mutualTLS, func(t *testing.T, _ kind) {
		der := certificate(t)
		pkcs8, err := x509.MarshalPKCS8PrivateKey(privateKey())
		if err != nil {
			t.Fatal(err)
		}
		s := startOIDCProvider(t, map[string]any{
			"life": 300, "jwk": publicJWK(),
			"tls": map[string]any{
				"key":  string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})),
				"cert": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
				"x5c":  base64.StdEncoding.EncodeToString(der),
			},
		})
		roots := x509.NewCertPool()
		leaf, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		roots.AddCert(leaf)
		s.tls = &tls.Config{RootCAs: roots}
		cfg := clientcredentials.Config{ClientID: "certified", TokenURL: s.endpoint.TokenURL, Scopes: s.service.Scopes}
		o := oauth.Options{Client: s.wire(t).client(), Auth: oauth.TLSClientAuth()}

		var answer *oauth.Error
		_, err = newKeeper(t, manager.Config{}).Manage("nobody", oauth.ClientCredentials(cfg, o)).Token(t.Context())
		if !errors.As(err, &answer) || answer.Code != "invalid_client" {
			t.Errorf("without a certificate: %v, want invalid_client", err)
		}
		s.tls = s.tls.Clone()
		s.tls.Certificates = []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: privateKey()}}
		o.Client = s.wire(t).client()
		token := works(t, s, oauth.ClientCredentials(cfg, o), "certified")
		thumbprint := sha256.Sum256(der)
		if got, want := s.introspect(t, s.wire(t).client(), token.AccessToken).Bound.Certificate, base64.RawURLEncoding.EncodeToString(thumbprint[:]); got != want {
			t.Errorf("the token is bound to %q, want %q", got, want)
		}
	})
}

// Each API has a token of its own, that names it (RFC 8707).
func TestResourceIndicators(t *testing.T) {
	each(t, resourceIndicator, func(t *testing.T, k kind) {
		s := k.start(t, 5*time.Minute)
		const invoices, ledger = "https://invoices.example.com/", "https://ledger.example.com/"
		keeper := newKeeper(t, manager.Config{})
		service := func(resources ...string) (*manager.Token, error) {
			return keeper.Manage(strings.Join(resources, "+"), oauth.ClientCredentials(s.service, oauth.Options{Resources: resources})).Token(t.Context())
		}
		for _, resource := range []string{invoices, ledger} {
			token, err := service(resource)
			if err != nil {
				t.Fatal(err)
			}
			if got := audience(t, token.AccessToken); got != resource {
				t.Errorf("a token for %s says %s", resource, got)
			}
		}
		var answer *oauth.Error
		if _, err := service(invoices, ledger); !errors.As(err, &answer) || answer.Code != "invalid_target" {
			t.Errorf("one token for two APIs: %v, want invalid_target", err) // both were sent
		}

		cfg := s.app
		cfg.Scopes = append([]string{"invoices:read"}, cfg.Scopes...)
		o := oauth.Options{Resources: []string{invoices}}
		u := keeper.Manage("user", oauth.RefreshToken(cfg, o))
		if err := u.Install(t.Context(), s.login(t, cfg, o)); err != nil {
			t.Fatal(err)
		}
		token, err := u.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if got := audience(t, token.AccessToken); got != invoices || token.Scope != "invoices:read" {
				t.Errorf("the user's token is for %s, %q", got, token.Scope)
			}
			if token, err = u.Renew(t.Context(), token); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// audience reads aud out of an access token that is a JWT (RFC 9068).
func audience(t *testing.T, token manager.Secret) string {
	t.Helper()
	parts := strings.Split(token.Reveal(), ".")
	if len(parts) != 3 {
		t.Fatal("the access token is no JWT")
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		Audience string `json:"aud"`
	}
	if err := json.Unmarshal(body, &claims); err != nil {
		t.Fatal(err)
	}
	return claims.Audience
}
