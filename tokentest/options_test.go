package tokentest_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"example.com/tokenactor/tokentest"
)

func TestExpiresIn(t *testing.T) {
	for _, test := range []struct {
		opts tokentest.Options
		want string // in the JSON; "": no such member
	}{
		{tokentest.Options{}, `"expires_in":3600,`},
		{tokentest.Options{Life: 1900 * time.Millisecond}, `"expires_in":1,`},
		{tokentest.Options{Life: 200 * time.Millisecond}, `"expires_in":0,`},
		{tokentest.Options{Life: -1}, ""},
		{tokentest.Options{ExpiresIn: tokentest.Omit}, ""},
		{tokentest.Options{ExpiresIn: 0}, `"expires_in":0,`},
		{tokentest.Options{ExpiresIn: -1}, `"expires_in":-1,`},
		{tokentest.Options{ExpiresIn: "3600"}, `"expires_in":"3600",`},
		{tokentest.Options{ExpiresIn: 315360000}, `"expires_in":315360000,`},
	} {
		srv := newServer(t, test.opts)
		r := mustRefresh(t, srv, srv.Login().RefreshToken)
		if has := strings.Contains(r.text, "expires_in"); has != (test.want != "") || !strings.Contains(r.text, test.want) {
			t.Errorf("%+v: %s, want %s", test.opts, r.text, test.want)
		}
	}
}

// A clock of the caller's own rules lives, and the server's may be wrong.
func TestClock(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	srv := newServer(t, tokentest.Options{
		Now:         func() time.Time { return now },
		ClockOffset: -10 * time.Minute,
	})
	login := srv.Login()
	resp, _ := call(t, srv, http.MethodGet, "/", login.AccessToken, "")
	if got, want := resp.Header.Get("Date"), "Fri, 02 Jan 2026 02:54:05 GMT"; got != want {
		t.Errorf("Date %q, want %q", got, want)
	}
	now = now.Add(login.ExpiresIn)
	if got := get(t, srv, login.AccessToken); got != http.StatusUnauthorized {
		t.Errorf("after its life: %d, want 401", got)
	}
}

func TestSeed(t *testing.T) {
	first := newServer(t, tokentest.Options{})
	again := newServer(t, tokentest.Options{Seed: first.Seed()})
	other := newServer(t, tokentest.Options{})
	a, b, c := first.Login(), again.Login(), other.Login()
	if a != b {
		t.Errorf("one seed: %v and %v", a, b)
	}
	if a == c {
		t.Errorf("two seeds: %v twice", a)
	}
}
