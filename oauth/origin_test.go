package oauth_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/oauth"
	"golang.org/x/oauth2"
)

// The secrets of a token request go to hosts that net/http dials as the endpoint's
// own, however they are written, and to none that only look like it.
func TestRedirectsToOtherSpellings(t *testing.T) {
	for _, test := range []struct {
		endpoint, location string
		want               string // where the second request goes, "": nowhere
	}{
		{"https://auth.gitlab.example/token", "https://auth.g\u0130tlab.example/token", ""},
		{"https://auth.gitlab.example/token", "https://auth.g%C4%B0tlab.example/token", ""},
		{"https://auth.gitlab.example/token", "https://auth.gitlab.example./token", ""},
		{"https://auth.gitlab.example/token", "https://auth.gitlab.example:/2", "https://auth.gitlab.example/2"},
		{"https://auth.gitlab.example/token", "https://\uff41uth.gitlab.example/2", "https://auth.gitlab.example/2"},
		{"https://auth.b\u00fccher.example/token", "https://auth.xn--bcher-kva.example/2", "https://auth.xn--bcher-kva.example/2"},
		{"https://auth.xn--bcher-kva.example/token", "https://auth.B\u00dcCHER.example/2", "https://auth.xn--bcher-kva.example/2"},
		{"https://[fe80::1%25eth0]/token", "https://[fe80::1%25ETH0]/2", ""},
	} {
		w := &wire{}
		w.answer = func(r *http.Request) (*http.Response, error) {
			if r.Host != r.URL.Host {
				t.Errorf("%s is asked as %s", r.URL.Host, r.Host)
			}
			if len(w.sent) > 1 {
				return response(200, good), nil
			}
			return response(307, page, "Location", test.location), nil
		}
		cfg := userConfig()
		cfg.Endpoint.TokenURL = test.endpoint
		_, err := oauth.RefreshToken(cfg, w.options()).Refresh(t.Context(), "user", manager.Token{RefreshToken: manager.NewSecret(refreshToken)})
		switch {
		case test.want == "" && (err == nil || len(w.sent) != 1):
			t.Errorf("%s to %s: %v, %d requests, want an error after one", test.endpoint, test.location, err, len(w.sent))
		case test.want != "" && (err != nil || len(w.sent) != 2 || w.sent[1].url != test.want):
			t.Errorf("%s to %s: %v, sent %v, want a second request to %s", test.endpoint, test.location, err, w.sent, test.want)
		}
	}
}

// A Transport that follows redirects itself is no Transport for token requests: what
// it brings from another origin is not used, and the error says so.
func TestTransportThatFollowsRedirects(t *testing.T) {
	foreign := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(good))
	}))
	defer foreign.Close()
	home := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, foreign.URL, http.StatusTemporaryRedirect)
	}))
	defer home.Close()
	follows := transportFunc(home.Client().Do)
	cfg := oauth2.Config{ClientID: "crawler", Endpoint: oauth2.Endpoint{TokenURL: home.URL + "/token"}}
	_, err := oauth.RefreshToken(cfg, oauth.Options{Client: &http.Client{Transport: follows}}).
		Refresh(t.Context(), "user", manager.Token{RefreshToken: manager.NewSecret(refreshToken)})
	if err == nil || !strings.Contains(err.Error(), "the client's Transport went to "+foreign.URL+" by itself") {
		t.Fatalf("got %v, want an error that says where the request went", err)
	}
	checkMarks(t, err, unmarked) // the refresh token was sent
}

// transportFunc makes a function a RoundTripper.
type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
