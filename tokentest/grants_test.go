package tokentest_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"example.com/tokenactor/tokentest"
)

// code sends a token request and gives its error, "" for a token.
func code(t *testing.T, srv *tokentest.Server, form url.Values) string {
	t.Helper()
	r, err := ask(srv.Client(), srv, form)
	if err != nil {
		t.Fatal(err)
	}
	problem, _ := r.members["error"].(string)
	if (problem == "") != (r.access != "") {
		t.Errorf("neither a token nor an error: %d %s", r.status, r.text)
	}
	return problem
}

func TestJWTBearer(t *testing.T) {
	for _, s := range []signer{es256(t), edDSA(t), rs256(t)} {
		srv := newServer(t, tokentest.Options{AssertionKey: s.key.Public()})
		now := time.Now()
		sound := map[string]any{"iss": "robot", "aud": srv.TokenURL(), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()}
		for name, test := range map[string]struct {
			jwt  string
			want string
		}{
			"sound":          {s.jwt(t, sound), ""},
			"to the issuer":  {s.jwt(t, with(sound, map[string]any{"aud": srv.Issuer()})), ""},
			"to another":     {s.jwt(t, with(sound, map[string]any{"aud": "https://other.example.com"})), "invalid_grant"},
			"expired":        {s.jwt(t, with(sound, map[string]any{"exp": now.Unix() - 1})), "invalid_grant"},
			"of the future":  {s.jwt(t, with(sound, map[string]any{"iat": now.Add(time.Hour).Unix()})), "invalid_grant"},
			"of nobody":      {s.jwt(t, with(sound, map[string]any{"iss": ""})), "invalid_grant"},
			"of another key": {es256(t).jwt(t, sound), "invalid_grant"},
			"unsigned":       {s.jwt(t, sound, map[string]any{"alg": "none"}), "invalid_grant"},
			"nonsense":       {"a.b.c", "invalid_grant"},
			"none":           {"", "invalid_grant"},
		} {
			form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {test.jwt}}
			if got := code(t, srv, form); got != test.want {
				t.Errorf("%s, %s: got %q, want %q", s.algorithm, name, got, test.want)
			}
		}
		once := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {s.jwt(t, with(sound, map[string]any{"jti": "1"}))}}
		if first, second := code(t, srv, once), code(t, srv, once); first != "" || second != "invalid_grant" {
			t.Errorf("%s: a jti twice: got %q and %q, want the second refused", s.algorithm, first, second)
		}
	}
	without := newServer(t, tokentest.Options{})
	if got := code(t, without, url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}}); got != "unsupported_grant_type" {
		t.Errorf("without a key: got %q", got)
	}
}

func TestPrivateKeyJWT(t *testing.T) {
	s := es256(t)
	srv := newServer(t, tokentest.Options{ClientKey: s.key.Public()})
	now := time.Now()
	sound := map[string]any{"iss": srv.ClientID(), "sub": srv.ClientID(), "aud": srv.TokenURL(), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()}
	send := func(claims map[string]any) (status int) {
		t.Helper()
		form := url.Values{"grant_type": {"client_credentials"}, "client_id": {srv.ClientID()},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {s.jwt(t, claims)}}
		resp, err := srv.Client().PostForm(srv.TokenURL(), form)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	if got := send(with(sound, map[string]any{"jti": "1"})); got != http.StatusOK {
		t.Errorf("got %d", got)
	}
	for name, more := range map[string]map[string]any{
		"the same jti": {"jti": "1"}, "no jti": {}, "another client": {"jti": "2", "iss": "x"}, "another subject": {"jti": "3", "sub": "x"},
	} {
		if got := send(with(sound, more)); got != http.StatusUnauthorized {
			t.Errorf("%s: got %d, want 401", name, got)
		}
	}
	if got := code(t, srv, url.Values{"grant_type": {"client_credentials"}}); got != "invalid_client" {
		t.Errorf("with a secret: got %q, want invalid_client", got)
	}
}

func TestPassword(t *testing.T) {
	srv := newServer(t, tokentest.Options{Users: map[string]string{"alice": "wonder"}})
	form := url.Values{"grant_type": {"password"}, "username": {"alice"}, "password": {"wonder"}, "scope": {"read"}}
	r, err := ask(srv.Client(), srv, form)
	if err != nil || r.access == "" || r.members["scope"] != "read" {
		t.Fatalf("got %s, %v", r.text, err)
	}
	mustRefresh(t, srv, r.refresh)
	for _, wrong := range []url.Values{{"password": {"x"}}, {"username": {"bob"}}, {"username": {""}}} {
		form := url.Values{"grant_type": {"password"}, "username": {"alice"}, "password": {"wonder"}}
		for name, values := range wrong {
			form[name] = values
		}
		if got := code(t, srv, form); got != "invalid_grant" {
			t.Errorf("%v: got %q, want invalid_grant", wrong, got)
		}
	}
}

func TestTokenExchange(t *testing.T) {
	srv := newServer(t, tokentest.Options{})
	form := url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "subject_token": {srv.Login().AccessToken},
		"subject_token_type": {"urn:ietf:params:oauth:token-type:access_token"}, "audience": {"a", "b"}, "resource": {"https://api.example.com/a", "https://api.example.com/b"}}
	r, err := ask(srv.Client(), srv, form)
	if err != nil || r.access == "" || r.members["issued_token_type"] != "urn:ietf:params:oauth:token-type:access_token" {
		t.Errorf("got %s, %v", r.text, err)
	}
	srv.RevokeAccess()
	if got := code(t, srv, form); got != "invalid_request" {
		t.Errorf("of a dead token: got %q", got)
	}
	form.Del("subject_token_type")
	if got := code(t, srv, form); got != "invalid_request" {
		t.Errorf("without a type: got %q", got)
	}
}

func TestPublicClient(t *testing.T) {
	srv := newServer(t, tokentest.Options{Public: true})
	for id, want := range map[string]int{srv.ClientID(): 200, "x": 401, "": 401} {
		resp, err := srv.Client().PostForm(srv.TokenURL(), url.Values{"grant_type": {"client_credentials"}, "client_id": {id}})
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("client %q: got %d, want %d", id, resp.StatusCode, want)
		}
	}
	if got := code(t, srv, url.Values{"grant_type": {"client_credentials"}}); got != "invalid_client" {
		t.Errorf("with a secret: got %q, want invalid_client", got)
	}
}

// A refresh token with an end says when.
func TestRefreshExpiresIn(t *testing.T) {
	srv := newServer(t, tokentest.Options{RefreshLife: time.Hour})
	if r := mustRefresh(t, srv, srv.Login().RefreshToken); r.members["refresh_expires_in"] != 3600.0 {
		t.Errorf("got %s", r.text)
	}
}
