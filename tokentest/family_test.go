package tokentest_test

import (
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenactor/tokentest"
)

func TestRotation(t *testing.T) {
	both(t, tokentest.Options{}, func(t *testing.T, srv *tokentest.Server) {
		login := srv.Login()
		tokens := []string{login.RefreshToken}
		for range 3 {
			r := mustRefresh(t, srv, tokens[len(tokens)-1])
			if got := get(t, srv, r.access); got != http.StatusOK {
				t.Errorf("API with the new access token: %d, want 200", got)
			}
			tokens = append(tokens, r.refresh)
		}
		for i, token := range tokens {
			family, serial, ok := srv.RefreshState(token)
			if family != 1 || serial != i+1 || ok != (i == 3) {
				t.Errorf("RefreshState of token %d = %d, %d, %v", i+1, family, serial, ok)
			}
		}
		if got, want := srv.Families()[0], (tokentest.Family{ID: 1, Serial: 4, Alive: true}); got != want {
			t.Errorf("family %+v, want %+v", got, want)
		}
		if got := get(t, srv, login.AccessToken); got != http.StatusOK {
			t.Errorf("API with the login's access token: %d, want 200, refreshes do not revoke it", got)
		}
	})
}

func TestReuseRevokesTheFamily(t *testing.T) {
	both(t, tokentest.Options{}, func(t *testing.T, srv *tokentest.Server) {
		login, other := srv.Login(), srv.Login()
		newest := mustRefresh(t, srv, login.RefreshToken)

		if got := refused(t, srv, login.RefreshToken); got != "invalid_grant" {
			t.Errorf("spent token: %q, want invalid_grant", got)
		}
		if got := refused(t, srv, newest.refresh); got != "invalid_grant" {
			t.Errorf("newest token of the revoked family: %q, want invalid_grant", got)
		}
		if got := get(t, srv, newest.access); got != http.StatusUnauthorized {
			t.Errorf("its access token: %d, want 401", got)
		}
		want := []tokentest.Family{
			{ID: 1, Serial: 2, RevokedByReuse: true},
			{ID: 2, Serial: 1, Alive: true},
		}
		for i, got := range srv.Families() {
			if got != want[i] {
				t.Errorf("family %+v, want %+v", got, want[i])
			}
		}
		mustRefresh(t, srv, other.RefreshToken)
		if got := srv.Stats(); got.Reuses != 1 || got.FamiliesRevoked != 1 || got.Refreshes != 2 {
			t.Errorf("%+v", got)
		}
	})
}

func TestNoReuseDetection(t *testing.T) {
	srv := newServer(t, tokentest.Options{NoReuseDetection: true})
	first := srv.Login().RefreshToken
	second := mustRefresh(t, srv, first).refresh
	if got := refused(t, srv, first); got != "invalid_grant" {
		t.Errorf("spent token: %q, want invalid_grant", got)
	}
	mustRefresh(t, srv, second)
	if got := srv.Stats(); got.Reuses != 1 || got.FamiliesRevoked != 0 {
		t.Errorf("%+v", got)
	}
}

func TestNoRotation(t *testing.T) {
	srv := newServer(t, tokentest.Options{NoRotation: true})
	token := srv.Login().RefreshToken
	for range 3 {
		if r := mustRefresh(t, srv, token); r.refresh != "" {
			t.Errorf("refresh_token %q, want none", r.refresh)
		}
	}
}

func TestRefreshLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := tokentest.New(tokentest.Options{RefreshLife: time.Hour})
		token := srv.Login().RefreshToken
		time.Sleep(time.Hour - 1)
		token = mustRefresh(t, srv, token).refresh
		time.Sleep(time.Hour)
		if got := refused(t, srv, token); got != "invalid_grant" {
			t.Errorf("expired refresh token: %q, want invalid_grant", got)
		}
		if srv.Families()[0].Alive || srv.Stats().FamiliesRevoked != 0 {
			t.Error("an expired family is neither alive nor revoked")
		}
	})
}

func TestScopeOfRefresh(t *testing.T) {
	srv := newServer(t, tokentest.Options{})
	token := srv.Login("read", "write").RefreshToken
	for _, test := range []struct{ asked, want, code string }{
		{"", "read write", ""},
		{"write", "write", ""},
		{"read admin", "", "invalid_scope"},
	} {
		r, err := ask(srv.Client(), srv, url.Values{
			"grant_type": {"refresh_token"}, "refresh_token": {token}, "scope": {test.asked},
		})
		if err != nil {
			t.Fatal(err)
		}
		scope, _ := r.members["scope"].(string)
		code, _ := r.members["error"].(string)
		if scope != test.want || code != test.code {
			t.Errorf("asked %q: scope %q, error %q; want %q, %q", test.asked, scope, code, test.want, test.code)
		}
		if r.refresh != "" {
			token = r.refresh
		}
	}
}

func TestRevokeFamilies(t *testing.T) {
	srv := newServer(t, tokentest.Options{})
	login := srv.Login()
	srv.RevokeFamilies()
	if got := refused(t, srv, login.RefreshToken); got != "invalid_grant" {
		t.Errorf("refresh token: %q, want invalid_grant", got)
	}
	if got := get(t, srv, login.AccessToken); got != http.StatusUnauthorized {
		t.Errorf("access token: %d, want 401", got)
	}
	if got := srv.Families()[0]; got.Alive || got.RevokedByReuse {
		t.Errorf("%+v, want it dead, and not by reuse", got)
	}
	mustRefresh(t, srv, srv.Login().RefreshToken)
}

func TestRefreshStateOfStrangers(t *testing.T) {
	srv, other := newServer(t, tokentest.Options{}), newServer(t, tokentest.Options{})
	login := srv.Login()
	for _, token := range []string{
		"", "rt", "rt-1-1-", "rt-1-1-0000000000000000", "rt-0-1-x", "rt-1-2-x", "rt-99-1-x", "rt--1-1-x",
		"rt-" + strconv.Itoa(1<<40) + "-1-x", login.AccessToken, other.Login().RefreshToken,
	} {
		if family, serial, ok := srv.RefreshState(token); family != 0 || serial != 0 || ok {
			t.Errorf("RefreshState(%q) = %d, %d, %v, want unknown", token, family, serial, ok)
		}
		if token != "" && refused(t, srv, token) != "invalid_grant" {
			t.Errorf("refresh with %q: want invalid_grant", token)
		}
	}
	if srv.Stats().Reuses != 0 {
		t.Error("a stranger's token counts as reuse")
	}
}
