package oauth_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/oauth"
	"golang.org/x/oauth2"
)

const good = `{"access_token":"at-1"}`

// A wrong configuration is told by the first refresh: constructors return only a
// Refresher. Nothing is sent, and no part of the URL is shown but its origin.
func TestConfiguration(t *testing.T) {
	for _, test := range []struct {
		url, id string
		style   oauth2.AuthStyle
		options oauth.Options
		want    string // "": good
	}{
		{"https://auth.example.com/token", "id", 0, oauth.Options{}, ""},
		{"http://127.0.0.1:8080/token", "id", 0, oauth.Options{}, ""},
		{"http://127.8.9.10/token", "id", 0, oauth.Options{}, ""},
		{"http://[::1]:8080/token", "id", 0, oauth.Options{}, ""},
		{"http://[::ffff:127.0.0.1]/token", "id", 0, oauth.Options{}, ""},
		{"http://LocalHost/token", "id", 0, oauth.Options{}, ""},
		{"http://auth.example.com/token", "id", 0, oauth.Options{AllowHTTP: true}, ""},
		{"", "id", 0, oauth.Options{}, "oauth: the configuration has no TokenURL"},
		{tokenURL, "", 0, oauth.Options{}, "oauth: the configuration has no ClientID"},
		{tokenURL, "id", 9, oauth.Options{}, "oauth: AuthStyle 9 is unknown: use AuthStyleInHeader, AuthStyleInParams or zero"},
		{"http://auth.example.com/token?key=at-key", "id", 0, oauth.Options{},
			"oauth: TokenURL http://auth.example.com would send secrets unencrypted: use https, or set Options.AllowHTTP"},
		{"http://localhost.example.com/token", "id", 0, oauth.Options{},
			"oauth: TokenURL http://localhost.example.com would send secrets unencrypted: use https, or set Options.AllowHTTP"},
		{"ftp://auth.example.com/token", "id", 0, oauth.Options{AllowHTTP: true}, "oauth: TokenURL is neither https nor http"},
		{"auth.example.com/token", "id", 0, oauth.Options{}, "oauth: TokenURL is not an absolute URL such as https://auth.example.com/token"},
		{"/token", "id", 0, oauth.Options{}, "oauth: TokenURL is not an absolute URL such as https://auth.example.com/token"},
		{"https://auth.example.com:at-port/", "id", 0, oauth.Options{}, "oauth: TokenURL is not an absolute URL such as https://auth.example.com/token"},
		{"https://id:at-password@auth.example.com/", "id", 0, oauth.Options{}, "oauth: TokenURL has a user name in it: use ClientID and ClientSecret"},
		{tokenURL + "#part", "id", 0, oauth.Options{}, "oauth: TokenURL has a fragment, which RFC 6749 section 3.2 forbids"},
	} {
		w := answering(200, good)
		test.options.Client = &http.Client{Transport: w}
		user := oauth2.Config{ClientID: test.id, Endpoint: oauth2.Endpoint{TokenURL: test.url, AuthStyle: test.style}}
		client := clientConfig()
		client.ClientID, client.TokenURL, client.AuthStyle = test.id, test.url, test.style
		for _, r := range []manager.Refresher{
			oauth.RefreshToken(user, test.options),
			oauth.ClientCredentials(client, test.options),
		} {
			_, err := r.Refresh(t.Context(), "x", manager.Token{RefreshToken: manager.NewSecret(refreshToken)})
			if test.want == "" {
				if err != nil {
					t.Errorf("%q: %v", test.url, err)
				}
				continue
			}
			if err == nil || err.Error() != test.want {
				t.Errorf("%q, id %q\n got %v\nwant %v", test.url, test.id, err, test.want)
			}
			checkMarks(t, err, permanent)
			if len(w.sent) > 0 {
				t.Errorf("%q: a request was sent", test.url)
			}
		}
	}
}

func TestSeveralOptions(t *testing.T) {
	_, err := oauth.ClientCredentials(clientConfig(), oauth.Options{}, oauth.Options{}).Refresh(t.Context(), "x", manager.Token{})
	checkMarks(t, err, permanent)
	if want := "oauth: a grant takes one Options, not several"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// RFC 6749 section 2.3.1 and appendix B; and that nothing is tried twice.
func TestClientAuthentication(t *testing.T) {
	const id, secret = "the crawler:1", "50% & more"
	for _, test := range []struct {
		secret   string
		style    oauth2.AuthStyle
		user     string // Basic, decoded
		password string
		form     url.Values
	}{
		{secret, oauth2.AuthStyleAutoDetect, "the+crawler%3A1", "50%25+%26+more", nil},
		{secret, oauth2.AuthStyleInHeader, "the+crawler%3A1", "50%25+%26+more", nil},
		{secret, oauth2.AuthStyleInParams, "", "", url.Values{"client_id": {id}, "client_secret": {secret}}},
		{"", oauth2.AuthStyleAutoDetect, "", "", url.Values{"client_id": {id}}},
		{"", oauth2.AuthStyleInHeader, "the+crawler%3A1", "", nil},
		{"", oauth2.AuthStyleInParams, "", "", url.Values{"client_id": {id}}},
	} {
		w := answering(401, `{"error":"invalid_client"}`)
		cfg := oauth2.Config{ClientID: id, ClientSecret: test.secret,
			Endpoint: oauth2.Endpoint{TokenURL: tokenURL, AuthStyle: test.style}}
		r := oauth.RefreshToken(cfg, w.options())
		other := map[bool]string{true: "oauth2.AuthStyleInParams", false: "oauth2.AuthStyleInHeader"}[test.user != ""]
		for range 2 {
			_, err := r.Refresh(t.Context(), "x", manager.Token{RefreshToken: manager.NewSecret(refreshToken)})
			checkMarks(t, err, permanent)
			if sent := test.user != "" || test.secret != ""; err == nil || strings.Contains(err.Error(), "AuthStyle") != sent || sent && !strings.HasSuffix(err.Error(), other) {
				t.Errorf("style %d, secret %q: got %v, want how the secret was sent, if it was, and the other way", test.style, test.secret, err)
			}
		}
		if len(w.sent) != 2 {
			t.Fatalf("style %d: %d requests for two refreshes", test.style, len(w.sent))
		}
		for _, sent := range w.sent {
			user, password, _ := (&http.Request{Header: sent.header}).BasicAuth()
			if user != test.user || password != test.password {
				t.Errorf("style %d, secret %q: Basic %q %q, want %q %q", test.style, test.secret, user, password, test.user, test.password)
			}
			want := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refreshToken}}
			for name, values := range test.form {
				want[name] = values
			}
			if sent.form.Encode() != want.Encode() {
				t.Errorf("style %d, secret %q\n got %v\nwant %v", test.style, test.secret, sent.form, want)
			}
			if sent.method != "POST" || sent.url != tokenURL || sent.header.Get("Accept") != "application/json" ||
				sent.header.Get("Content-Type") != "application/x-www-form-urlencoded" {
				t.Errorf("got %s %s %v", sent.method, sent.url, sent.header)
			}
		}
	}
}

// Scenario 23, the part of the token endpoint.
func TestScenario23Redirects(t *testing.T) {
	for _, test := range []struct {
		status   int
		location string
		want     string // where the second request goes, "": nowhere
	}{
		{307, "https://auth.example.com/v2/token", "https://auth.example.com/v2/token"},
		{308, "/v2/token", "https://auth.example.com/v2/token"},
		{308, "https://AUTH.example.com:443/v2", "https://AUTH.example.com:443/v2"},
		{307, "https://evil.example.com/token", ""},
		{307, "//evil.example.com/token", ""},
		{307, "https://auth.example.com.evil.example.com/token", ""},
		{307, "https://auth.example.com:8443/token", ""},
		{308, "http://auth.example.com/token", ""},
		{307, "https://user:password@auth.example.com/token", ""},
		{307, "https://auth.example.com:x/", ""},
		{307, "", ""},
		{301, "/v2/token", ""},
		{302, "/login?token=at-secret", ""},
		{303, "https://evil.example.com/token", ""},
	} {
		w := &wire{}
		w.answer = func(r *http.Request) (*http.Response, error) {
			if len(w.sent) > 1 {
				return response(200, good), nil
			}
			return response(test.status, page, "Location", test.location, "Content-Type", asHTML), nil
		}
		_, err := spend(t, w)
		switch {
		case test.want == "" && (err == nil || len(w.sent) != 1):
			t.Errorf("%d %q: %v, %d requests, want an error after one", test.status, test.location, err, len(w.sent))
		case test.want == "":
			checkMarks(t, err, answered)
			checkSecrets(t, err)
		case err != nil || len(w.sent) != 2:
			t.Errorf("%d %q: %v, %d requests, want two", test.status, test.location, err, len(w.sent))
		case w.sent[1].url != test.want || w.sent[1].method != "POST" ||
			w.sent[1].form.Encode() != w.sent[0].form.Encode() ||
			w.sent[1].header.Get("Authorization") != w.sent[0].header.Get("Authorization"):
			t.Errorf("%d %q: got %+v, want the request of %+v sent to %s", test.status, test.location, w.sent[1], w.sent[0], test.want)
		}
	}
}

func TestRedirectLoop(t *testing.T) {
	w := answering(307, "", "Location", "/token")
	_, err := spend(t, w)
	if e, ok := errors.AsType[*oauth.Error](err); !ok || e.Status != 307 || len(w.sent) != 6 {
		t.Errorf("got %v after %d requests, want the 307 after 6", err, len(w.sent))
	}
}

// The user's CheckRedirect would follow anything; its client stays as it was.
func TestClientOfTheUser(t *testing.T) {
	w := answering(307, "", "Location", "https://evil.example.com/")
	asked := false
	hc := &http.Client{Transport: w, CheckRedirect: func(*http.Request, []*http.Request) error { asked = true; return nil }}
	_, err := oauth.ClientCredentials(clientConfig(), oauth.Options{Client: hc}).Refresh(t.Context(), "x", manager.Token{})
	if err == nil || len(w.sent) != 1 || asked {
		t.Errorf("got %v after %d requests, want an error after one", err, len(w.sent))
	}
	if hc.CheckRedirect(nil, nil); !asked {
		t.Error("the user's client was changed")
	}
}

// An answer that breaks off leaves the refresh token in doubt, a refusal does not
// become less of one.
func TestBrokenBody(t *testing.T) {
	for _, test := range []struct {
		status int
		want   marking
	}{{200, unmarked}, {429, declined}, {503, unmarked}} {
		w := &wire{answer: func(*http.Request) (*http.Response, error) {
			resp := response(test.status, "")
			resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"access_token":"at-`), broken{}))
			return resp, nil
		}}
		_, err := spend(t, w)
		checkMarks(t, err, test.want)
		if test.status == 200 && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("got %v, want the cause in it", err)
		}
		checkSecrets(t, err)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestContextEndedBefore(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := answering(200, good)
	_, err := oauth.ClientCredentials(clientConfig(), w.options()).Refresh(ctx, "x", manager.Token{})
	checkMarks(t, err, declined)
	if !errors.Is(err, context.Canceled) || len(w.sent) > 0 {
		t.Errorf("got %v and %d requests, want the context's error and none", err, len(w.sent))
	}
}

func TestGroup(t *testing.T) {
	for tokenURL, want := range map[string]string{
		"https://Auth.Example.com:443/token?x=1": "https://auth.example.com",
		"https://auth.example.com:8443/token":    "https://auth.example.com:8443",
		"http://127.0.0.1:80/token":              "http://127.0.0.1",
		"http://[::1]:443/token":                 "http://[::1]:443",
		"":                                       "",
	} {
		client, user := clientConfig(), userConfig()
		client.TokenURL, user.Endpoint.TokenURL = tokenURL, tokenURL
		for _, r := range []manager.Refresher{oauth.ClientCredentials(client), oauth.RefreshToken(user)} {
			if got := r.(manager.Grouper).Group(); got != want {
				t.Errorf("%s: got %s, want %s", tokenURL, got, want)
			}
		}
	}
}
