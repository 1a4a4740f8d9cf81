package tokentest_test

import (
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenactor/tokentest"
)

const verifier = "a verifier of more than forty-three characters"

// authorize asks for a code, and gives where the browser is sent, or the status.
func authorize(t *testing.T, srv *tokentest.Server, more url.Values) (back url.Values, status int) {
	t.Helper()
	challenge := sha256.Sum256([]byte(verifier))
	q := url.Values{"client_id": {srv.ClientID()}, "response_type": {"code"}, "redirect_uri": {"http://127.0.0.1:1/callback"}, "state": {"s"},
		"scope": {"read"}, "code_challenge": {b64(challenge[:])}, "code_challenge_method": {"S256"}}
	for name, values := range more {
		q[name] = values
	}
	c := srv.Client()
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := c.Get(srv.AuthURL() + "?" + q.Encode())
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	u, err := url.Parse(resp.Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	return u.Query(), resp.StatusCode
}

func TestCode(t *testing.T) {
	srv := newServer(t, tokentest.Options{})
	redeem := func(code, redirect, verifier string) url.Values {
		return url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirect}, "code_verifier": {verifier}}
	}
	const redirect = "http://127.0.0.1:1/callback"
	back, status := authorize(t, srv, nil)
	if status != http.StatusFound || back.Get("state") != "s" || back.Get("iss") != srv.Issuer() {
		t.Fatalf("got %d %v", status, back)
	}
	for name, form := range map[string]url.Values{
		"another redirect": redeem(back.Get("code"), "http://127.0.0.1:2/", verifier),
		"another verifier": redeem(back.Get("code"), redirect, "x"),
		"another code":     redeem("x", redirect, verifier),
	} {
		if got := code(t, srv, form); got != "invalid_grant" {
			t.Errorf("%s: got %q, want invalid_grant", name, got)
		}
	}
	first, err := ask(srv.Client(), srv, redeem(back.Get("code"), redirect, verifier))
	if err != nil || first.access == "" || first.refresh == "" || first.members["scope"] != "read" {
		t.Fatalf("got %s, %v", first.text, err)
	}
	if got := code(t, srv, redeem(back.Get("code"), redirect, verifier)); got != "invalid_grant" {
		t.Errorf("twice: got %q, want invalid_grant", got)
	}
	if got := refused(t, srv, first.refresh); got != "invalid_grant" {
		t.Errorf("after a code came twice its family lives: %q", got)
	}
	for name, more := range map[string]url.Values{
		"no PKCE":        {"code_challenge": {""}},
		"plain PKCE":     {"code_challenge_method": {"plain"}},
		"no redirect":    {"redirect_uri": {""}},
		"another client": {"client_id": {"x"}},
		"a token":        {"response_type": {"token"}},
	} {
		if _, status := authorize(t, srv, more); status != http.StatusBadRequest {
			t.Errorf("%s: got %d, want 400", name, status)
		}
	}
}

func TestConsent(t *testing.T) {
	srv := newServer(t, tokentest.Options{Consent: func(q url.Values) string {
		if q.Get("scope") == "read" {
			return "access_denied"
		}
		return ""
	}})
	if back, _ := authorize(t, srv, nil); back.Get("error") != "access_denied" || back.Has("code") {
		t.Errorf("got %v", back)
	}
	if back, _ := authorize(t, srv, url.Values{"scope": {"write"}}); back.Get("code") == "" {
		t.Errorf("got %v", back)
	}
}

// begun is the answer of the device authorization endpoint.
type begun struct {
	Device  string  `json:"device_code"`
	User    string  `json:"user_code"`
	Expires float64 `json:"expires_in"`
	Every   float64 `json:"interval"`
}

func device(t *testing.T, srv *tokentest.Server) begun {
	t.Helper()
	resp, err := srv.Client().PostForm(srv.DeviceURL(), url.Values{"client_id": {srv.ClientID()}, "client_secret": {srv.ClientSecret()}, "scope": {"read"}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var b begun
	if err := json.NewDecoder(resp.Body).Decode(&b); err != nil || b.Device == "" || b.User == "" {
		t.Fatalf("got %d %+v, %v", resp.StatusCode, b, err)
	}
	return b
}

func TestDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := tokentest.New(tokentest.Options{})
		defer srv.Close()
		b := device(t, srv)
		if b.Expires != 600 || b.Every != 5 {
			t.Errorf("got %+v", b)
		}
		form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {b.Device}}
		step := func(wait time.Duration, want string) {
			t.Helper()
			time.Sleep(wait)
			if got := code(t, srv, form); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		step(0, "authorization_pending")
		step(4*time.Second, "slow_down") // 10 s from now on
		step(9*time.Second, "slow_down") // 15 s
		step(15*time.Second, "authorization_pending")
		if srv.Decide("nobody's", "") || !srv.Decide(b.User, "") {
			t.Error("Decide does not know its codes")
		}
		step(15*time.Second, "")
		step(15*time.Second, "invalid_grant") // it works once

		b = device(t, srv)
		form.Set("device_code", b.Device)
		srv.Decide(b.User, "access_denied")
		step(0, "access_denied")
		form.Set("device_code", device(t, srv).Device)
		step(10*time.Minute+time.Second, "expired_token")
		form.Set("device_code", "x")
		step(0, "invalid_grant")
	})
}

func TestMetadata(t *testing.T) {
	both(t, tokentest.Options{}, func(t *testing.T, srv *tokentest.Server) {
		resp, err := srv.Client().Get(srv.Issuer() + "/.well-known/oauth-authorization-server")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var got map[string]any
		if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{"issuer": srv.Issuer(), "token_endpoint": srv.TokenURL(), "revocation_endpoint": srv.RevokeURL(),
			"authorization_endpoint": srv.AuthURL(), "device_authorization_endpoint": srv.DeviceURL()} {
			if got[name] != want {
				t.Errorf("%s: got %v, want %s", name, got[name], want)
			}
		}
	})
}
