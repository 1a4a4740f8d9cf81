package tokentest_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"example.com/tokenactor/tokentest"
)

func TestEcho(t *testing.T) {
	both(t, tokentest.Options{}, func(t *testing.T, srv *tokentest.Server) {
		token := srv.Login("read").AccessToken
		body := strings.Repeat("all of it ", 10000)
		sum := sha256.Sum256([]byte(body))
		for _, test := range []struct {
			method, path, body string
			want               tokentest.Echo
		}{
			{"POST", "/invoices/1?x=y", body, tokentest.Echo{Method: "POST", Path: "/invoices/1", Bytes: 100000, SHA256: hex.EncodeToString(sum[:])}},
			{"GET", "", "", tokentest.Echo{Method: "GET", Path: "/"}},
		} {
			test.want.Family, test.want.Serial, test.want.Scope = 1, 1, "read"
			resp, text := call(t, srv, test.method, test.path, token, test.body)
			var got tokentest.Echo
			if err := json.Unmarshal([]byte(text), &got); err != nil || got != test.want {
				t.Errorf("%s %s: %d %s, want %+v", test.method, test.path, resp.StatusCode, text, test.want)
			}
		}
	})
}

// A bad token says so, no token has no error code, and both leave the body unread.
func TestChallenge(t *testing.T) {
	srv := newServer(t, tokentest.Options{})
	for _, test := range []struct{ authorization, want string }{
		{"", `Bearer realm="tokentest"`},
		{"Basic eDp5", `Bearer realm="tokentest"`},
		{"Bearer", `Bearer realm="tokentest", error="invalid_token"`},
		{"bearer at-1-1-0000000000000000", `Bearer realm="tokentest", error="invalid_token"`},
	} {
		body := strings.NewReader("unread")
		req, err := http.NewRequest(http.MethodPost, srv.APIURL(), body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", test.authorization)
		resp, err := srv.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := resp.Header.Get("WWW-Authenticate"); resp.StatusCode != http.StatusUnauthorized || got != test.want {
			t.Errorf("%q: %d %q, want 401 %q", test.authorization, resp.StatusCode, got, test.want)
		}
		if body.Len() != len("unread") {
			t.Errorf("%q: the body was read", test.authorization)
		}
	}
	if got := srv.Stats(); got.Unauthorized != 4 || got.Accepted != 0 || got.APICalls != 4 {
		t.Errorf("%+v", got)
	}
}

func TestRefuseAPI(t *testing.T) {
	both(t, tokentest.Options{}, func(t *testing.T, srv *tokentest.Server) {
		token := srv.Login().AccessToken
		srv.RefuseAPI(tokentest.InvalidToken, "/broken")
		srv.RefuseAPI(tokentest.InsufficientScope401, "/admin", "/root")
		check := func(path string, status int, challenge string) {
			t.Helper()
			resp, _ := call(t, srv, http.MethodGet, path, token, "")
			if got := resp.Header.Get("WWW-Authenticate"); resp.StatusCode != status || !strings.Contains(got, challenge) {
				t.Errorf("%s: %d %q, want %d %q", path, resp.StatusCode, got, status, challenge)
			}
		}
		check("/broken", 401, "invalid_token")
		check("/root", 401, "insufficient_scope")
		check("/", 200, "")

		srv.RefuseAPI(tokentest.Forbidden)
		srv.RefuseAPI(tokentest.Refusal{}, "/open")
		check("/broken", 401, "invalid_token")
		check("/open", 200, "")
		check("/", 403, "")
		if got := srv.Stats(); got.Forbidden != 1 || got.Unauthorized != 3 || got.Accepted != 2 {
			t.Errorf("%+v", got)
		}
	})
}

// A body that breaks off is an error, never half a body with a 200.
func TestBrokenBody(t *testing.T) {
	errBroken := errors.New("broken")
	srv := newServer(t, tokentest.Options{})
	token := srv.Login().AccessToken
	for _, body := range []io.Reader{
		io.MultiReader(strings.NewReader("half"), iotest.ErrReader(errBroken)),
		strings.NewReader("short"),
	} {
		req, err := http.NewRequest(http.MethodPost, srv.APIURL(), io.NopCloser(body))
		if err != nil {
			t.Fatal(err)
		}
		req.ContentLength = 10
		req.Header.Set("Authorization", "Bearer "+token)
		if resp, err := srv.Client().Do(req); err == nil {
			resp.Body.Close()
			t.Errorf("status %d, want an error", resp.StatusCode)
		}
	}
}
