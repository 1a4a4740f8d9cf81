package tokentest_test

import (
	"net/http"
	"net/url"
	"testing"

	"example.com/tokenactor/tokentest"
)

func TestRevoke(t *testing.T) {
	both(t, tokentest.Options{}, func(t *testing.T, srv *tokentest.Server) {
		revoke := func(secret, token string) int {
			resp, err := srv.Client().PostForm(srv.RevokeURL(), url.Values{
				"token": {token}, "client_id": {srv.ClientID()}, "client_secret": {secret},
			})
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			return resp.StatusCode
		}
		login := srv.Login()
		newest := mustRefresh(t, srv, login.RefreshToken)

		if got := revoke("wrong", newest.refresh); got != http.StatusUnauthorized {
			t.Errorf("wrong secret: %d, want 401", got)
		}
		if got := revoke(srv.ClientSecret(), ""); got != http.StatusBadRequest {
			t.Errorf("no token: %d, want 400", got)
		}
		if got := revoke(srv.ClientSecret(), "unknown"); got != http.StatusOK {
			t.Errorf("unknown token: %d, want 200", got)
		}
		if got := revoke(srv.ClientSecret(), login.AccessToken); got != http.StatusOK {
			t.Errorf("access token: %d, want 200", got)
		}
		if a, b := get(t, srv, login.AccessToken), get(t, srv, newest.access); a != http.StatusUnauthorized || b != http.StatusOK {
			t.Errorf("the revoked access token %d, the other %d; want 401, 200", a, b)
		}
		if got := revoke(srv.ClientSecret(), newest.refresh); got != http.StatusOK {
			t.Errorf("refresh token: %d, want 200", got)
		}
		if f := srv.Families()[0]; f.Alive || f.RevokedByReuse {
			t.Errorf("%+v, want it dead, and not by reuse", f)
		}
	})
}
