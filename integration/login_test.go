package integration

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"example.com/tokenactor/client"
	"example.com/tokenactor/manager"
	"example.com/tokenactor/oauth"
	"golang.org/x/oauth2"
)

// Logins of users, and what keeps them going.

// goesOn installs a login and checks that it works at the API, three refreshes long.
func goesOn(t *testing.T, s *server, cfg oauth2.Config, login manager.Token, o oauth.Options) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	w := s.wire(t)
	o.Client = w.client()
	user := newKeeper(t, manager.Config{}).Manage("user", oauth.RefreshToken(cfg, o))
	if err := user.Install(ctx, login); err != nil {
		t.Fatal(err)
	}
	token, err := user.Token(ctx)
	if err != nil {
		t.Fatal(err)
	}
	api := &http.Client{Transport: &client.Transport{Source: user, Base: w}}
	for range 3 {
		if status := get(t, api, s.userURL); status != http.StatusOK {
			t.Fatalf("the API answers %d", status)
		}
		spent := token.RefreshToken
		if token, err = user.Renew(ctx, token); err != nil {
			t.Fatal(err)
		}
		if token.RefreshToken.Equal(spent) {
			t.Error("the server does not rotate: the test shows nothing")
		}
	}
	if status := get(t, api, s.userURL); status != http.StatusOK {
		t.Fatalf("the API answers %d", status)
	}
	if n := len(w.refreshes()); n != 3 {
		t.Errorf("%d refreshes, want 3", n)
	}
}

func TestCodeLogin(t *testing.T) {
	each(t, code, func(t *testing.T, k kind) {
		s := k.start(t, 5*time.Minute)
		login := s.login(t, s.app, oauth.Options{})
		w := s.wire(t)
		if i := s.introspect(t, w.client(), login.AccessToken); !i.Active || i.ClientID != "app" {
			t.Errorf("the server says of the token: %+v", i)
		}
		goesOn(t, s, s.app, login, oauth.Options{})

		s.user.refuse = "/abort" // oidc-provider's page has such a link
		if k.name == oryFosite.name {
			s.params = map[string][]string{"refuse": {"yes"}}
		} else if k.name != oidcProvider.name {
			return // zitadel's example has no way to say no here
		}
		if _, err := s.tryLogin(t, s.app, oauth.Options{}); !errors.Is(err, oauth.ErrDenied) {
			t.Errorf("a user who says no: %v, want ErrDenied", err)
		}
	})
}

func TestRefreshToken(t *testing.T) {
	each(t, refreshToken, func(t *testing.T, k kind) {
		s := k.start(t, 5*time.Minute)
		login := s.login(t, s.app, oauth.Options{})
		// A login of which only the refresh token was kept.
		goesOn(t, s, s.app, manager.Token{AccessToken: login.AccessToken, RefreshToken: login.RefreshToken}, oauth.Options{})
	})
}

func TestPrivateKeyJWT(t *testing.T) {
	each(t, privateKeyJWT, func(t *testing.T, k kind) {
		s := k.start(t, 5*time.Minute)
		o := oauth.Options{Auth: oauth.PrivateKeyJWT(signingKey(t), s.issuer)} // no issuer: the token endpoint
		goesOn(t, s, s.keyed, s.login(t, s.keyed, o), o)

		stranger := oauth.Options{Auth: oauth.ClientAuth{}}
		login := s.login(t, s.keyed, o)
		c := newKeeper(t, manager.Config{}).Manage("user", oauth.RefreshToken(s.keyed, stranger))
		if err := c.Install(t.Context(), manager.Token{RefreshToken: login.RefreshToken}); err != nil {
			t.Fatal(err)
		}
		var answer *oauth.Error
		if _, err := c.Token(t.Context()); !errors.As(err, &answer) || errors.Is(err, manager.ErrLoginRequired) {
			t.Errorf("without its key the client gets %v, want an answer that does not end the login", err)
		}
	})
}

func TestDeviceLogin(t *testing.T) {
	each(t, device, func(t *testing.T, k kind) {
		s := k.start(t, 5*time.Minute)
		login, err := s.tryDevice(t)
		if err != nil {
			t.Fatal(err)
		}
		w := s.wire(t)
		if i := s.introspect(t, w.client(), login.AccessToken); !i.Active || i.ClientID != "tv" {
			t.Errorf("the server says of the token: %+v", i)
		}
		if k.name == oidcProvider.name { // zitadel's example gives no refresh token here
			goesOn(t, s, s.tv, login, oauth.Options{})
		}

		s.user.refuse = "confirm?action=denied"
		if k.name == oidcProvider.name {
			s.user.refuse = "/abort"
		}
		if _, err := s.tryDevice(t); !errors.Is(err, oauth.ErrDenied) {
			t.Errorf("a user who says no: %v, want ErrDenied", err)
		}
	})
}

// Forget ends the login at the server as well: neither of its tokens works any more.
func TestRevocation(t *testing.T) {
	each(t, revocation, func(t *testing.T, k kind) {
		s := k.start(t, 5*time.Minute)
		keeper := newKeeper(t, manager.Config{})
		user := keeper.Manage("user", oauth.RefreshToken(s.app, oauth.Options{Revoke: true, RevokeURL: s.revokeURL}))
		login := s.login(t, s.app, oauth.Options{})
		if err := user.Install(t.Context(), login); err != nil {
			t.Fatal(err)
		}
		api := &http.Client{Transport: &client.Transport{Source: user, MaxReplays: -1}}
		if status := get(t, api, s.userURL); status != http.StatusOK {
			t.Fatalf("the API answers %d", status)
		}
		if err := user.Forget(t.Context()); err != nil {
			t.Fatal(err)
		}
		keeper.wait(t, 0, manager.EventRevoked)

		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.userURL, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+login.AccessToken.Reveal())
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			t.Error("the access token still works")
		}
		if status, code := s.spend(t, "app", login.RefreshToken); status != http.StatusBadRequest || code != "invalid_grant" {
			t.Errorf("the refresh token: %d %s, want 400 invalid_grant", status, code)
		}

		if err := user.Install(t.Context(), s.login(t, s.app, oauth.Options{})); err != nil {
			t.Fatal(err)
		}
		if status := get(t, api, s.userURL); status != http.StatusOK {
			t.Errorf("after a new login the API answers %d", status)
		}
	})
}

// What a server says when it will not is sorted right: a refused refresh token needs a
// login, a wrong secret an operator.
func TestRefusal(t *testing.T) {
	each(t, refusal, func(t *testing.T, k kind) {
		s := k.start(t, 5*time.Minute)
		w := s.wire(t)
		keeper := newKeeper(t, manager.Config{})
		user := keeper.Manage("user", oauth.RefreshToken(s.app, oauth.Options{Client: w.client()}))
		login := s.login(t, s.app, oauth.Options{})
		if status, code := s.spend(t, "app", login.RefreshToken); status != http.StatusOK {
			t.Fatalf("a first refresh by hand: %d %s", status, code)
		}
		if err := user.Install(t.Context(), manager.Token{RefreshToken: login.RefreshToken}); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			var answer *oauth.Error
			_, err := user.Token(t.Context())
			if !errors.Is(err, manager.ErrLoginRequired) || !errors.As(err, &answer) || answer.Code != "invalid_grant" {
				t.Errorf("a spent refresh token: %v, want invalid_grant and ErrLoginRequired", err)
			}
		}
		if n := len(w.refreshes()); n != 1 {
			t.Errorf("a refused refresh token was sent %d times, want once", n)
		}

		s.service.ClientSecret = "another"
		_, err := keeper.Manage("service", oauth.ClientCredentials(s.service)).Token(t.Context())
		var answer *oauth.Error
		if !errors.As(err, &answer) || answer.Code != "invalid_client" || errors.Is(err, manager.ErrLoginRequired) {
			t.Errorf("a wrong secret: %v, want invalid_client, and no login to be asked for", err)
		}
	})
}
