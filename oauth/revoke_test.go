package oauth_test

import (
	"net/http"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/oauth"
	"example.com/tokenactor/tokentest"
)

// eventsOf collects the events of a manager.
func eventsOf(config *manager.Config) func() []manager.Event {
	var mu sync.Mutex
	var list []manager.Event
	config.OnEvent = func(e manager.Event) {
		mu.Lock()
		defer mu.Unlock()
		list = append(list, e)
	}
	return func() []manager.Event {
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		return list
	}
}

// Forget ends the login at the server, where that was asked for.
func TestForgetRevokes(t *testing.T) {
	for name, options := range map[string]func(*tokentest.Server) oauth.Options{
		"asked": func(srv *tokentest.Server) oauth.Options {
			return oauth.Options{Revoke: true, RevokeURL: srv.RevokeURL()}
		},
		"discovered": func(srv *tokentest.Server) oauth.Options {
			return oauth.Options{Revoke: true, Issuer: oauth.NewIssuer(srv.Issuer(), oauth.Options{Client: srv.Client()})}
		},
		"not asked": func(srv *tokentest.Server) oauth.Options { return oauth.Options{RevokeURL: srv.RevokeURL()} },
	} {
		synctest.Test(t, func(t *testing.T) {
			srv := tokentest.New(tokentest.Options{})
			defer srv.Close()
			o := options(srv)
			o.Client = srv.Client()
			config := manager.Config{}
			happened := eventsOf(&config)
			c := begin(t, config).Manage("user", oauth.RefreshToken(configOf(srv), o))
			install(t, c, manager.Token{RefreshToken: manager.NewSecret(srv.Login().RefreshToken)})
			token, err := c.Token(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Forget(t.Context()); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			revoked := name != "not asked"
			if alive := srv.Families()[0].Alive; alive == revoked || works(t, srv, *token) == revoked {
				t.Errorf("%s: the login lives on: %v", name, alive)
			}
			if got := happened(); revoked && got[len(got)-1].Kind != manager.EventRevoked {
				t.Errorf("%s: got %v", name, got)
			}
		})
	}
}

// What is sent, and what the server may say to it.
func TestRevocation(t *testing.T) {
	for _, test := range []struct {
		status [2]int
		body   [2]string
		want   string
	}{
		{[2]int{200, 200}, [2]string{"", ""}, ""},
		{[2]int{200, 204}, [2]string{"ok", ""}, ""},
		{[2]int{200, 400}, [2]string{"", `{"error":"unsupported_token_type"}`}, ""},
		{[2]int{400, 200}, [2]string{`{"error":"unsupported_token_type"}`, ""}, "oauth: the revocation endpoint answered 400 unsupported_token_type"},
		{[2]int{503, 503}, [2]string{"", ""}, "oauth: the revocation endpoint answered 503: an empty body\noauth: the revocation endpoint answered 503: an empty body"},
		{[2]int{302, 200}, [2]string{"", ""}, "oauth: the revocation endpoint answered 302: a redirect that a token request does not follow; set RevokeURL to where the endpoint is"},
	} {
		w := &wire{}
		w.answer = func(*http.Request) (*http.Response, error) {
			i := len(w.sent) - 1
			return response(test.status[i], test.body[i]), nil
		}
		options := w.options()
		options.Revoke, options.RevokeURL = true, "https://auth.example.com/revoke"
		r := oauth.RefreshToken(userConfig(), options).(manager.Revoker)
		err := r.Revoke(t.Context(), "user", manager.Token{AccessToken: manager.NewSecret("at-1"), RefreshToken: manager.NewSecret(refreshToken),
			Expiry: time.Now().Add(time.Hour)})
		if got := text(err); got != test.want {
			t.Errorf("%v\n got %s\nwant %s", test.status, got, test.want)
		}
		checkSecrets(t, err)
		for i, want := range []url.Values{
			{"token": {refreshToken}, "token_type_hint": {"refresh_token"}},
			{"token": {"at-1"}, "token_type_hint": {"access_token"}},
		} {
			if got := w.sent[i]; got.form.Encode() != want.Encode() || got.header.Get("Authorization") == "" {
				t.Errorf("sent %v, want %v with the client's secret", got.form, want)
			}
		}
	}
	w := answering(200, "")
	options := w.options()
	options.Revoke, options.RevokeURL = true, "https://auth.example.com/revoke"
	r := oauth.ClientCredentials(clientConfig(), options).(manager.Revoker)
	if err := r.Revoke(t.Context(), "x", manager.Token{AccessToken: manager.NewSecret("at-1"), Expiry: time.Now().Add(-time.Hour)}); err != nil || len(w.sent) > 0 {
		t.Errorf("of a token that is over: got %v, %d requests, want none", err, len(w.sent))
	}
	if _, ok := oauth.ClientCredentials(clientConfig()).(manager.Revoker); ok {
		t.Error("a grant that was not asked to is a Revoker")
	}
	options.RevokeURL = ""
	_, err := oauth.ClientCredentials(clientConfig(), options).Refresh(t.Context(), "x", manager.Token{})
	checkMarks(t, err, permanent)
	if want := "oauth: Options.Revoke needs RevokeURL, or an Issuer that names it"; text(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
