package oauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenactor/oauth"
	"example.com/tokenactor/tokentest"
)

// RFC 8628 with a user who takes a minute, or says no, or does nothing.
func TestDeviceLogin(t *testing.T) {
	for _, test := range []struct {
		decision string
		after    time.Duration // until the user decides
		took     time.Duration
		want     error
	}{
		{"", 0, 5 * time.Second, nil},
		{"", 62 * time.Second, 65 * time.Second, nil},
		{"access_denied", 62 * time.Second, 65 * time.Second, oauth.ErrDenied},
		{"", time.Hour, 10 * time.Minute, oauth.ErrExpired},
	} {
		synctest.Test(t, func(t *testing.T) {
			srv := tokentest.New(tokentest.Options{Public: true})
			defer srv.Close()
			cfg := configOf(srv, "read")
			cfg.ClientSecret = ""
			var shown oauth.DeviceCode
			start := time.Now()
			token, err := oauth.DeviceLogin(t.Context(), cfg, func(_ context.Context, code oauth.DeviceCode) error {
				shown = code
				time.AfterFunc(test.after, func() { srv.Decide(code.UserCode, test.decision) })
				return nil
			}, oauth.Options{Client: srv.Client()})
			if took := time.Since(start); took != test.took || !errors.Is(err, test.want) {
				t.Errorf("%q after %v: got %v after %v, want %v after %v", test.decision, test.after, err, took, test.want, test.took)
			}
			if err == nil && (!works(t, srv, token) || token.RefreshToken.IsZero() || token.Scope != "read") {
				t.Errorf("got %v of scope %q", token, token.Scope)
			}
			if shown.UserCode == "" || shown.URL != srv.Issuer()+"/activate" || !strings.Contains(shown.CompleteURL, shown.UserCode) || shown.ExpiresIn != 10*time.Minute {
				t.Errorf("shown: got %+v", shown)
			}
			if test.want == nil {
				return
			}
			checkSecrets(t, err)
			time.Sleep(2 * time.Hour) // AfterFunc
		})
	}
}

// The server slows the program down, and falters: it is asked ever more seldom, and
// the login lives.
func TestDeviceLoginIntervals(t *testing.T) {
	const begun = `{"device_code":"at-device","user_code":"AB-CD","verification_url":"https://auth.example.com/go","expires_in":"600","interval":2}`
	synctest.Test(t, func(t *testing.T) {
		var asked []time.Duration
		start := time.Now()
		answers := []func() (*http.Response, error){
			func() (*http.Response, error) { return response(400, `{"error":"authorization_pending"}`), nil },
			func() (*http.Response, error) { return response(400, `{"error":"slow_down"}`), nil },
			func() (*http.Response, error) { return response(400, `{"error":"authorization_pending"}`), nil },
			func() (*http.Response, error) { return nil, syscall.ECONNRESET },
			func() (*http.Response, error) { return response(503, page), nil },
			func() (*http.Response, error) { return response(429, ""), nil },
			func() (*http.Response, error) { return response(502, ""), nil },
			func() (*http.Response, error) { return response(400, `{"error":"authorization_pending"}`), nil },
			func() (*http.Response, error) { return response(200, `{"access_token":"at-1","expires_in":3600}`), nil },
		}
		w := &wire{}
		w.answer = func(r *http.Request) (*http.Response, error) {
			if r.URL.Path == "/device" {
				return response(200, begun), nil
			}
			asked = append(asked, time.Since(start))
			answer := answers[0]
			answers = answers[1:]
			return answer()
		}
		cfg := userConfig()
		cfg.Endpoint.DeviceAuthURL = "https://auth.example.com/device"
		token, err := oauth.DeviceLogin(t.Context(), cfg, func(_ context.Context, code oauth.DeviceCode) error {
			if code.URL != "https://auth.example.com/go" {
				t.Errorf("shown: got %+v", code)
			}
			return nil
		}, w.options())
		if err != nil || token.ExpiresIn != time.Hour {
			t.Fatalf("got %v, %v", token, err)
		}
		// 2 s; then 7 s; doubled by each trouble up to a minute; 7 s again.
		want := fmt.Sprint([]time.Duration{2 * time.Second, 4 * time.Second, 11 * time.Second, 18 * time.Second,
			32 * time.Second, 60 * time.Second, 116 * time.Second, 176 * time.Second, 183 * time.Second})
		if got := fmt.Sprint(asked); got != want {
			t.Errorf("asked at\n got %s\nwant %s", got, want)
		}
		if form := w.sent[1].form; form.Get("device_code") != "at-device" || form.Get("grant_type") != "urn:ietf:params:oauth:grant-type:device_code" {
			t.Errorf("sent %v", form)
		}
	})
}

// silent shows a code to nobody.
func silent(context.Context, oauth.DeviceCode) error { return nil }

func TestDeviceLoginErrors(t *testing.T) {
	cfg := userConfig()
	cfg.Endpoint.DeviceAuthURL = "https://auth.example.com/device"
	for _, test := range []struct {
		status     int
		body, want string
	}{
		{400, `{"error":"invalid_scope"}`, "oauth: the device authorization endpoint answered 400 invalid_scope"},
		{200, `{"user_code":"x"}`, "oauth: the device authorization endpoint answered 200: no device_code"},
		{200, `{"device_code":"at-1","user_code":"AB-CD"}`, "oauth: the device authorization endpoint answered 200: no user_code or no verification_uri"},
		{200, `{"device_code":"at-1","verification_uri":"https://auth.example.com/go"}`, "oauth: the device authorization endpoint answered 200: no user_code or no verification_uri"},
		{302, ``, "oauth: the device authorization endpoint answered 302: a redirect that a token request does not follow; set DeviceAuthURL to where the endpoint is"},
	} {
		_, err := oauth.DeviceLogin(t.Context(), cfg, silent, answering(test.status, test.body).options())
		if err == nil || err.Error() != test.want {
			t.Errorf("got %v, want %s", err, test.want)
		}
	}
	const begun = `{"device_code":"at-1","user_code":"AB-CD","verification_uri":"https://auth.example.com/go"}`
	_, err := oauth.DeviceLogin(t.Context(), cfg, func(context.Context, oauth.DeviceCode) error { return errors.New("no screen") },
		answering(200, begun).options())
	if want := "oauth: the device code could not be shown: no screen"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	_, err = oauth.DeviceLogin(t.Context(), userConfig(), silent)
	if want := "oauth: the configuration has no DeviceAuthURL"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("the user has gone")
	_, err = oauth.DeviceLogin(ctx, cfg, func(context.Context, oauth.DeviceCode) error { cancel(gone); return nil },
		answering(200, begun).options())
	if !errors.Is(err, gone) {
		t.Errorf("got %v, want the cause", err)
	}
}

// Lives count from the sending: what the answer took is taken off, since Install
// counts from its own call.
func TestLoginTakesOffTheTravel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := tokentest.New(tokentest.Options{Latency: 30 * time.Second, RefreshLife: 2 * time.Hour})
		defer srv.Close()
		token, err := oauth.DeviceLogin(t.Context(), configOf(srv), func(_ context.Context, code oauth.DeviceCode) error {
			srv.Decide(code.UserCode, "")
			return nil
		}, oauth.Options{Client: srv.Client()})
		if err != nil || token.ExpiresIn != time.Hour-30*time.Second || token.RefreshExpiresIn != 2*time.Hour-30*time.Second {
			t.Errorf("got lives of %v and %v, %v, want half a minute less than an hour and two", token.ExpiresIn, token.RefreshExpiresIn, err)
		}
	})
}

// What a terminal would obey, a browser run or a QR code not hold is shown to nobody.
func TestDeviceCodesThatAreNotShown(t *testing.T) {
	const unfit = "that cannot be shown"
	cfg := userConfig()
	cfg.Endpoint.DeviceAuthURL = "https://auth.example.com/device"
	for _, test := range []struct{ code, url, complete, want string }{
		{"WDJB-MJHT", "https://auth.example.com/go", "https://auth.example.com/go?c=WDJB-MJHT#x", ""},
		{"WDJB MJHT é", "HTTPS://auth.example.com:8443", "", ""},
		{"1", "http://127.0.0.1:8080/go", "http://[::1]/go", ""},
		{"1", "http://localhost/go", "", ""},
		{"1", "https://bücher.example/go", "", ""},

		{"AB\x1b]0;pwn\a\nroot# rm", "https://auth.example.com/go", "", "user_code " + unfit},
		{"AB\u202eCD", "https://auth.example.com/go", "", "user_code " + unfit},
		{"AB\u00a0CD", "https://auth.example.com/go", "", "user_code " + unfit},
		{strings.Repeat("x", 65), "https://auth.example.com/go", "", "user_code " + unfit},
		{"1", "javascript:alert(1)//", "", "verification_uri " + unfit},
		{"1", "javascript://auth.example.com/%0aalert(1)", "", "verification_uri " + unfit},
		{"1", "file:///etc/passwd", "", "verification_uri " + unfit},
		{"1", "/go", "", "verification_uri " + unfit},
		{"1", "//auth.example.com/go", "", "verification_uri " + unfit},
		{"1", "https:auth.example.com", "", "verification_uri " + unfit},
		{"1", "https:///go", "", "verification_uri " + unfit},
		{"1", "https://:443/go", "", "verification_uri " + unfit},
		{"1", "http://auth.example.com/go", "", "verification_uri " + unfit},
		{"1", "https://www.bank.example@auth.example.com/go", "", "verification_uri " + unfit},
		{"1", "https://auth.example.com/go\x1b[2J", "", "verification_uri " + unfit},
		{"1", "https://auth.example.com/go\u202e", "", "verification_uri " + unfit},
		{"1", "https://auth.example.com/go and then rm", "", "verification_uri " + unfit},
		{"1", "https://auth.example.com/" + strings.Repeat("x", 2048), "", "verification_uri " + unfit},
		{"1", "https://auth.example.com/go", "file:///etc/passwd", "verification_uri_complete " + unfit},
		{"1", "https://auth.example.com/go", "https://a@auth.example.com/go", "verification_uri_complete " + unfit},
	} {
		body, err := json.Marshal(map[string]string{"device_code": "at-1", "user_code": test.code, "verification_uri": test.url, "verification_uri_complete": test.complete})
		if err != nil {
			t.Fatal(err)
		}
		shown := errors.New("shown")
		_, err = oauth.DeviceLogin(t.Context(), cfg, func(_ context.Context, code oauth.DeviceCode) error {
			if code.UserCode != test.code || code.URL != test.url || code.CompleteURL != test.complete {
				t.Errorf("%+q: shown %+q", test, code)
			}
			return shown
		}, answering(200, string(body)).options())
		if test.want == "" {
			if !errors.Is(err, shown) {
				t.Errorf("%+q: got %v, want it shown", test, err)
			}
			continue
		}
		refusal, ok := errors.AsType[*oauth.Error](err)
		if !ok || refusal.Status != 200 || !strings.HasPrefix(err.Error(), "oauth: the device authorization endpoint answered 200: a "+test.want) {
			t.Errorf("%+q: got %v, want an error about its %s", test, err, test.want)
		}
	}
	options := answering(200, `{"device_code":"at-1","user_code":"A","verification_uri":"http://auth.example.com/go"}`).options()
	options.AllowHTTP = true
	if _, err := oauth.DeviceLogin(t.Context(), cfg, func(context.Context, oauth.DeviceCode) error { return errors.New("shown") }, options); err == nil || !strings.HasSuffix(err.Error(), ": shown") {
		t.Errorf("with AllowHTTP: got %v, want it shown", err)
	}
}

// An interval of less than a second is one of a second.
func TestDeviceLoginHurriedServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{}
		w.answer = func(r *http.Request) (*http.Response, error) {
			if r.URL.Path == "/device" {
				return response(200, `{"device_code":"at-1","user_code":"A","verification_uri":"https://auth.example.com/go","interval":0.0001,"expires_in":60}`), nil
			}
			return response(400, `{"error":"authorization_pending"}`), nil
		}
		cfg := userConfig()
		cfg.Endpoint.DeviceAuthURL = "https://auth.example.com/device"
		_, err := oauth.DeviceLogin(t.Context(), cfg, silent, w.options())
		if n := len(w.sent) - 1; !errors.Is(err, oauth.ErrExpired) || n > 60 {
			t.Errorf("got %v after %d requests in a minute, want at most one a second", err, n)
		}
	})
}
