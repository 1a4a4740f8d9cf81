package tokentest_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenactor/tokentest"
)

func TestLife(t *testing.T) {
	for _, test := range []struct {
		life  time.Duration
		lasts time.Duration // the last moment at which it is accepted
		ends  bool
	}{
		{0, time.Hour - 1, true},
		{200 * time.Millisecond, 200*time.Millisecond - 1, true},
		{-1, 100 * 365 * 24 * time.Hour, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			srv := tokentest.New(tokentest.Options{Life: test.life})
			token := srv.Login().AccessToken
			time.Sleep(test.lasts)
			if got := get(t, srv, token); got != http.StatusOK {
				t.Errorf("life %v: %d after %v, want 200", test.life, got, test.lasts)
			}
			time.Sleep(time.Nanosecond)
			if got := get(t, srv, token) == http.StatusUnauthorized; got != test.ends {
				t.Errorf("life %v: expired %v 1 ns later, want %v", test.life, got, test.ends)
			}
		})
	}
}

func TestRevokeAccess(t *testing.T) {
	both(t, tokentest.Options{}, func(t *testing.T, srv *tokentest.Server) {
		login := srv.Login()
		srv.RevokeAccess()
		if got := get(t, srv, login.AccessToken); got != http.StatusUnauthorized {
			t.Errorf("revoked token: %d, want 401", got)
		}
		r := mustRefresh(t, srv, login.RefreshToken)
		if got := get(t, srv, r.access); got != http.StatusOK {
			t.Errorf("the token after it: %d, want 200", got)
		}
	})
}

// Each token dies at the next strike, and one strike falls into each period.
func TestRevokeEvery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := tokentest.New(tokentest.Options{Life: -1, RevokeEvery: time.Minute, Seed: 7})
		token, strikes := srv.Login().AccessToken, 0
		for range 10 * 60 {
			time.Sleep(time.Second)
			if get(t, srv, token) == http.StatusOK {
				continue
			}
			strikes++
			token = srv.Login().AccessToken
			if got := get(t, srv, token); got != http.StatusOK {
				t.Fatalf("token issued after the strike: %d, want 200", got)
			}
		}
		if strikes != 10 {
			t.Errorf("%d strikes in 10 minutes, want 10", strikes)
		}
	})
}

func TestRevokeRate(t *testing.T) {
	run := func(seed uint64) (revoked []int) {
		srv := newServer(t, tokentest.Options{RevokeRate: 0.1, Seed: seed})
		token := srv.Login().AccessToken
		for i := range 1000 {
			if get(t, srv, token) == http.StatusOK {
				continue
			}
			revoked = append(revoked, i)
			if got := get(t, srv, token); got != http.StatusUnauthorized {
				t.Fatalf("revoked token: %d, want 401 for good", got)
			}
			token = srv.Login().AccessToken
		}
		return revoked
	}
	first, again := run(1), run(1)
	if len(first) < 60 || len(first) > 150 {
		t.Errorf("%d of 1000 requests lost their token, want about 100", len(first))
	}
	if len(first) != len(again) || first[0] != again[0] {
		t.Errorf("the same seed gave %d and %d revocations", len(first), len(again))
	}
}

// Dead tokens are forgotten, and forgotten or not they are dead.
func TestManyAccessTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := tokentest.New(tokentest.Options{Life: time.Minute})
		login := srv.Login()
		token := login.RefreshToken
		for range 100 {
			time.Sleep(time.Minute)
			r := mustRefresh(t, srv, token)
			token = r.refresh
			if got := get(t, srv, r.access); got != http.StatusOK {
				t.Fatalf("newest: %d, want 200", got)
			}
		}
		if got := get(t, srv, login.AccessToken); got != http.StatusUnauthorized {
			t.Errorf("oldest: %d, want 401", got)
		}
	})
}
