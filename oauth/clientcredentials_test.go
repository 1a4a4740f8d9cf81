package oauth_test

import (
	"net/url"
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

func TestClientCredentials(t *testing.T) {
	for _, style := range []oauth2.AuthStyle{oauth2.AuthStyleAutoDetect, oauth2.AuthStyleInHeader, oauth2.AuthStyleInParams} {
		synctest.Test(t, func(t *testing.T) {
			srv := tokentest.New(tokentest.Options{Latency: time.Second})
			defer srv.Close()
			r := oauth.ClientCredentials(clientcredentials.Config{
				ClientID:     srv.ClientID(),
				ClientSecret: srv.ClientSecret(),
				TokenURL:     srv.TokenURL(),
				AuthStyle:    style,
			}, oauth.Options{Client: srv.Client()})
			first, err := r.Refresh(t.Context(), "crawler", manager.Token{})
			if err != nil {
				t.Fatal(err)
			}
			second, err := r.Refresh(t.Context(), "crawler", first)
			if err != nil {
				t.Fatal(err)
			}
			if first.ExpiresIn != time.Hour || first.AccessToken.Equal(second.AccessToken) {
				t.Errorf("style %d: got %v and %v, want two tokens of an hour", style, first, second)
			}
			if stats := srv.Stats(); stats.TokenCalls != 2 || stats.ClientGrants != 2 {
				t.Errorf("style %d: got %+v, want two calls", style, stats)
			}
		})
	}
}

// One Refresher for many credentials at once. Run with -race.
func TestConcurrentRefreshes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := tokentest.New(tokentest.Options{Latency: time.Second})
		defer srv.Close()
		client := oauth.ClientCredentials(clientcredentials.Config{
			ClientID:     srv.ClientID(),
			ClientSecret: srv.ClientSecret(),
			TokenURL:     srv.TokenURL(),
			AuthStyle:    oauth2.AuthStyleInParams,
		}, oauth.Options{Client: srv.Client()})
		user := refresherOf(srv)
		var refreshes sync.WaitGroup
		for range 20 {
			prev := manager.Token{RefreshToken: manager.NewSecret(srv.Login().RefreshToken)}
			for _, r := range []manager.Refresher{client, user} {
				refreshes.Go(func() {
					if _, err := r.Refresh(t.Context(), "x", prev); err != nil {
						t.Error(err)
					}
				})
			}
		}
		refreshes.Wait()
		if stats := srv.Stats(); stats.MostAtOnce != 40 || stats.ClientGrants != 20 || stats.Refreshes != 20 {
			t.Errorf("got %+v, want 40 at once", stats)
		}
	})
}

func TestClientCredentialsForm(t *testing.T) {
	for _, test := range []struct {
		scopes []string
		params url.Values
		want   url.Values // nil: an error
		scope  string
	}{
		{nil, nil, url.Values{"grant_type": {"client_credentials"}}, ""},
		{[]string{"read", "write"}, url.Values{"audience": {"api", "other"}},
			url.Values{"grant_type": {"client_credentials"}, "scope": {"read write"}, "audience": {"api", "other"}}, "read write"},
		{nil, url.Values{"grant_type": {"account_credentials"}}, url.Values{"grant_type": {"account_credentials"}}, ""},
		{[]string{"read"}, url.Values{"scope": {"write"}}, nil, ""},
	} {
		w := answering(200, `{"access_token":"at-1","refresh_token":"at-unwanted"}`)
		cfg := clientConfig()
		cfg.Scopes, cfg.EndpointParams = test.scopes, test.params
		r := oauth.ClientCredentials(cfg, w.options())
		if values := test.params["audience"]; values != nil {
			values[0] = "changed later"
		}
		got, err := r.Refresh(t.Context(), "crawler", manager.Token{})
		if test.want == nil {
			checkMarks(t, err, permanent)
			if want := `oauth: EndpointParams has "scope", which the grant sets itself`; err == nil || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if sent := w.sent[0].form.Encode(); sent != test.want.Encode() {
			t.Errorf("sent %s, want %s", sent, test.want.Encode())
		}
		if !got.RefreshToken.IsZero() || got.Scope != test.scope {
			t.Errorf("got %v of scope %q, want scope %q and no refresh token", got, got.Scope, test.scope)
		}
	}
}

// The scope that was granted, not that which was asked for.
func TestClientCredentialsScope(t *testing.T) {
	cfg := clientConfig()
	cfg.Scopes = []string{"read", "write"}
	w := answering(200, `{"access_token":"at-1","scope":"read"}`)
	got, err := oauth.ClientCredentials(cfg, w.options()).Refresh(t.Context(), "crawler", manager.Token{})
	if err != nil || got.Scope != "read" {
		t.Errorf("got scope %q, %v, want read", got.Scope, err)
	}
}
