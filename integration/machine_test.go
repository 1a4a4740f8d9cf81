package integration

import (
	"context"
	"testing"
	"time"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/oauth"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// Grants of clients that act for themselves.

// works manages a grant, and checks that two tokens that it brings, one after the
// other, are known to the server as those of a client, or of a service account.
func works(t *testing.T, s *server, r manager.Refresher, holder string) manager.Token {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	w := s.wire(t)
	c := newKeeper(t, manager.Config{}).Manage("it", r)
	first, err := c.Token(ctx)
	if err != nil {
		t.Fatal(err)
	}
	second, err := c.Renew(ctx, first)
	if err != nil {
		t.Fatal(err)
	}
	if second.AccessToken.Equal(first.AccessToken) {
		t.Error("the renewed token is the rejected one")
	}
	for _, token := range []*manager.Token{first, second} {
		if !token.RefreshToken.IsZero() {
			t.Error("a grant that needs none keeps a refresh token")
		}
		if left := time.Until(token.Expiry); left < 4*time.Minute || left > 5*time.Minute {
			t.Errorf("a token of five minutes has %v left", left)
		}
		i := s.introspect(t, w.client(), token.AccessToken)
		if !i.Active || i.ClientID != holder && i.Subject != holder {
			t.Errorf("the server says of the token: %+v, want one of %s", i, holder)
		}
	}
	return *second
}

func TestClientCredentials(t *testing.T) {
	each(t, clientCredentials, func(t *testing.T, k kind) {
		s := k.start(t, 5*time.Minute)
		token := works(t, s, oauth.ClientCredentials(s.service), "service")
		if token.Scope != s.service.Scopes[0] {
			t.Errorf("scope %q, want %q", token.Scope, s.service.Scopes[0])
		}
	})
}

func TestClientSecretInHeader(t *testing.T) { // which is what no style says
	each(t, basicSecret, func(t *testing.T, k kind) {
		s := k.start(t, 5*time.Minute)
		s.service.AuthStyle = oauth2.AuthStyleInHeader
		works(t, s, oauth.ClientCredentials(s.service), "service")
	})
}

func TestClientSecretInForm(t *testing.T) {
	each(t, postedSecret, func(t *testing.T, k kind) {
		s := k.start(t, 5*time.Minute)
		works(t, s, oauth.ClientCredentials(s.poster), "poster")
	})
}

func TestJWTBearer(t *testing.T) {
	each(t, jwtBearer, func(t *testing.T, k kind) {
		s := k.start(t, 5*time.Minute)
		audience := s.issuer
		if audience == "" {
			audience = s.endpoint.TokenURL
		}
		assertion := signingKey(t).Assertion(oauth.Claims{Issuer: "account", Subject: "account", Audience: audience})
		cfg := oauth2.Config{Endpoint: s.endpoint, Scopes: s.service.Scopes}
		works(t, s, oauth.JWTBearer(cfg, assertion), "account")
	})
}

func TestPassword(t *testing.T) {
	each(t, password, func(t *testing.T, k kind) {
		s := k.start(t, 5*time.Minute)
		cfg := oauth2.Config{ClientID: "service", ClientSecret: secretOf("service"), Endpoint: s.endpoint, Scopes: []string{"offline"}}
		works(t, s, oauth.Password(cfg, s.user.name, manager.NewSecret(s.user.password)), "service")
	})
}

// A token of a user is exchanged for one of the service, which names the same user.
func TestTokenExchange(t *testing.T) {
	each(t, tokenExchange, func(t *testing.T, k kind) {
		s := k.start(t, 5*time.Minute)
		users := newKeeper(t, manager.Config{})
		user := users.Manage("user", oauth.RefreshToken(s.app))
		if err := user.Install(t.Context(), s.login(t, s.app, oauth.Options{})); err != nil {
			t.Fatal(err)
		}
		cfg := oauth2.Config{ClientID: "service", ClientSecret: secretOf("service"), Endpoint: s.endpoint, Scopes: []string{"openid"}}
		token := works(t, s, oauth.TokenExchange(cfg, oauth.Exchange{
			Subject:   oauth.AccessTokenOf(user),
			Requested: oauth.AccessTokenType,
		}), "service")
		own, err := user.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		w := s.wire(t)
		if got, want := s.introspect(t, w.client(), token.AccessToken).Subject, s.introspect(t, w.client(), own.AccessToken).Subject; got != want || got == "" {
			t.Errorf("the exchanged token is of %q, want %q", got, want)
		}
		if got := token.Extra["issued_token_type"]; got.Reveal() != oauth.AccessTokenType {
			t.Errorf("issued_token_type %q", got.Reveal())
		}
	})
}

// Only the issuer is named; the endpoints are what it says.
func TestDiscovery(t *testing.T) {
	each(t, discovery, func(t *testing.T, k kind) {
		s := k.start(t, 5*time.Minute)
		issuer := oauth.NewIssuer(s.issuer)
		m, err := issuer.Metadata(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if m.Endpoint.AuthURL != s.endpoint.AuthURL || m.Endpoint.TokenURL != s.endpoint.TokenURL ||
			m.Endpoint.DeviceAuthURL != s.endpoint.DeviceAuthURL || m.RevokeURL != s.revokeURL {
			t.Errorf("the issuer says %+v, want %+v", m, s)
		}
		cfg := clientcredentials.Config{ClientID: s.service.ClientID, ClientSecret: s.service.ClientSecret, Scopes: s.service.Scopes}
		works(t, s, oauth.ClientCredentials(cfg, oauth.Options{Issuer: issuer}), "service")

		app := oauth2.Config{ClientID: "app", Scopes: s.app.Scopes}
		token := s.login(t, app, oauth.Options{Issuer: issuer}) // with iss in the redirect, where the server sends it
		if token.RefreshToken.IsZero() {
			t.Error("no refresh token")
		}
	})
}
