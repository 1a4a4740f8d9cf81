package tokentest_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"example.com/tokenactor/tokentest"
)

// The log tells the story in the order of arrival, without a secret.
func TestCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := tokentest.New(tokentest.Options{})
		login := srv.Login()
		call(t, srv, http.MethodGet, "/page", login.AccessToken, "")
		srv.Next(tokentest.Status(503), tokentest.NotSent())
		refused(t, srv, login.RefreshToken)
		refresh(srv, login.RefreshToken)
		newest := mustRefresh(t, srv, login.RefreshToken)
		refused(t, srv, login.RefreshToken)
		call(t, srv, http.MethodDelete, "/page", newest.access, "")

		var lines []string
		for _, c := range srv.Calls() {
			lines = append(lines, c.String())
			text := fmt.Sprintf("%+v %v", c, c)
			for _, secret := range []string{login.AccessToken, login.RefreshToken, newest.access, newest.refresh} {
				if strings.Contains(text, secret) {
					t.Errorf("%s shows %s", text, secret)
				}
			}
		}
		want := []string{
			"00:00:00.000 api GET /page at-1-1 200 ok",
			"00:00:00.000 token refresh_token rt-1-1 (answer 503) 503 service unavailable",
			"00:00:00.000 token refresh_token rt-1-1 (not sent) not sent",
			"00:00:00.000 token refresh_token rt-1-1 200 ok",
			"00:00:00.000 token refresh_token rt-1-1 400 reuse",
			"00:00:00.000 api DELETE /page at-1-2 401 unauthorized",
		}
		for i := range lines {
			lines[i] = strings.Replace(lines[i], lines[i][:12], "00:00:00.000", 1)
		}
		if !slices.Equal(lines, want) {
			t.Errorf("got:\n%s\nwant:\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
		}
	})
}

// The newest calls of each kind are kept, so that the API's do not push out the others.
func TestLogIsBounded(t *testing.T) {
	for _, test := range []struct{ log, token, api int }{{0, 1, 1024}, {10, 1, 10}, {-1, 0, 0}} {
		srv := newServer(t, tokentest.Options{Log: test.log})
		login := srv.Login()
		mustRefresh(t, srv, login.RefreshToken)
		for range 1100 {
			get(t, srv, login.AccessToken)
		}
		var token, api int
		var last int64
		for _, c := range srv.Calls() {
			if c.Seq <= last {
				t.Fatalf("log %d: call %d after %d", test.log, c.Seq, last)
			}
			last = c.Seq
			if c.Kind == tokentest.KindAPI {
				api++
			} else {
				token++
			}
		}
		if token != test.token || api != test.api {
			t.Errorf("log %d: %d token and %d API calls kept, want %d and %d", test.log, token, api, test.token, test.api)
		}
		if got := srv.Stats(); got.TokenCalls != 1 || got.APICalls != 1100 {
			t.Errorf("log %d: %+v, want 1 and 1100", test.log, got)
		}
	}
}
