package oauth_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/oauth"
	"example.com/tokenactor/tokentest"
	"golang.org/x/oauth2"
)

// refresherOf is the refresh token grant at srv.
func refresherOf(srv *tokentest.Server) manager.Refresher {
	return oauth.RefreshToken(oauth2.Config{
		ClientID:     srv.ClientID(),
		ClientSecret: srv.ClientSecret(),
		Endpoint:     oauth2.Endpoint{TokenURL: srv.TokenURL()},
	}, oauth.Options{Client: srv.Client()})
}

func TestRefreshToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := tokentest.New(tokentest.Options{RefreshLife: 24 * time.Hour, Latency: time.Second})
		defer srv.Close()
		login := srv.Login("read", "write")
		prev := manager.Token{RefreshToken: manager.NewSecret(login.RefreshToken)}
		for serial := 2; serial <= 4; serial++ {
			got, err := refresherOf(srv).Refresh(t.Context(), "user", prev)
			if err != nil {
				t.Fatal(err)
			}
			if _, n, ok := srv.RefreshState(got.RefreshToken.Reveal()); !ok || n != serial {
				t.Errorf("got a refresh token of serial %d, good %v, want the good one of serial %d", n, ok, serial)
			}
			if got.ExpiresIn != time.Hour || got.AccessToken.IsZero() || got.AccessToken.Equal(prev.AccessToken) {
				t.Errorf("got %v of life %v, want a new one of an hour", got, got.ExpiresIn)
			}
			prev = got
		}
		if stats := srv.Stats(); stats.TokenCalls != 3 || stats.Reuses != 0 {
			t.Errorf("got %+v, want three calls and no reuse", stats)
		}
	})
}

// A Refresher without a refresh token has nothing to send.
func TestRefreshTokenWithoutLogin(t *testing.T) {
	w := answering(200, good)
	_, err := oauth.RefreshToken(userConfig(), w.options()).Refresh(t.Context(), "user",
		manager.Token{AccessToken: manager.NewSecret("at-old")})
	checkMarks(t, err, loginRequired)
	if !errors.Is(err, manager.ErrLoginRequired) || len(w.sent) > 0 {
		t.Errorf("got %v and %d requests, want ErrLoginRequired and none", err, len(w.sent))
	}
	if want := "oauth: there is no refresh token: Install the token of a login that has one"; err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	checkSecrets(t, err)

	// A refusal is stored, so a wrong configuration must not be one.
	_, err = oauth.RefreshToken(oauth2.Config{}).Refresh(t.Context(), "user", manager.Token{})
	checkMarks(t, err, permanent)
}

// Scenario 12, the part of the token request: a lost answer is not asked for again,
// and nobody knows the server's style better after a failure.
func TestScenario12LostAnswer(t *testing.T) {
	for name, test := range map[string]struct {
		fault tokentest.Fault
		want  marking
	}{
		"lost":    {tokentest.Lost(), unmarked},
		"late":    {tokentest.Late(time.Minute), unmarked},
		"garbage": {tokentest.Garbage(), answered},
		"gateway": {tokentest.Spent(tokentest.Status(502)), answered},
		"page":    {tokentest.Spent(tokentest.HTML(200)), answered},
	} {
		synctest.Test(t, func(t *testing.T) {
			srv := tokentest.New(tokentest.Options{})
			defer srv.Close()
			login := srv.Login()
			srv.Next(test.fault)
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			_, err := refresherOf(srv).Refresh(ctx, "user", manager.Token{RefreshToken: manager.NewSecret(login.RefreshToken)})
			checkMarks(t, err, test.want)
			if stats := srv.Stats(); stats.TokenCalls != 1 || stats.Reuses != 0 {
				t.Errorf("%s: %d calls, %d reuses, want one call", name, stats.TokenCalls, stats.Reuses)
			}
		})
	}
}

// What leaves the refresh token good must say so, or its owner waits for nothing.
func TestUnspent(t *testing.T) {
	for name, test := range map[string]struct {
		fault tokentest.Fault
		want  marking
	}{
		"not sent": {tokentest.NotSent(), declined},
		"too many": {tokentest.TooMany(7 * time.Second), after(7*time.Second, declined)},
	} {
		synctest.Test(t, func(t *testing.T) {
			srv := tokentest.New(tokentest.Options{})
			defer srv.Close()
			login := srv.Login()
			srv.Next(test.fault)
			_, err := refresherOf(srv).Refresh(t.Context(), "user", manager.Token{RefreshToken: manager.NewSecret(login.RefreshToken)})
			checkMarks(t, err, test.want)
			if _, _, ok := srv.RefreshState(login.RefreshToken); !ok {
				t.Errorf("%s: the refresh token is spent", name)
			}
		})
	}
}

// Scenario 13 at this level: no refresh token in the answer is none in the Token,
// which tells the manager to keep the one before, and that one still works.
func TestScenario13NoRefreshToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := tokentest.New(tokentest.Options{NoRotation: true})
		defer srv.Close()
		login := srv.Login()
		prev := manager.Token{RefreshToken: manager.NewSecret(login.RefreshToken)}
		for range 2 {
			got, err := refresherOf(srv).Refresh(t.Context(), "user", prev)
			if err != nil || !got.RefreshToken.IsZero() {
				t.Fatalf("got %v, %v, want a token without a refresh token", got, err)
			}
		}
	})
}

// Scenario 18, the part of the token endpoint.
func TestScenario18SpentRefreshToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := tokentest.New(tokentest.Options{})
		defer srv.Close()
		login := srv.Login()
		r, prev := refresherOf(srv), manager.Token{RefreshToken: manager.NewSecret(login.RefreshToken)}
		if _, err := r.Refresh(t.Context(), "user", prev); err != nil {
			t.Fatal(err)
		}
		_, err := r.Refresh(t.Context(), "user", prev)
		checkMarks(t, err, loginRequired)

		wrong := oauth2.Config{ClientID: srv.ClientID(), ClientSecret: "another", Endpoint: oauth2.Endpoint{TokenURL: srv.TokenURL()}}
		_, err = oauth.RefreshToken(wrong, oauth.Options{Client: srv.Client()}).Refresh(t.Context(), "user", prev)
		checkMarks(t, err, permanent)
	})
}
