package tokentest_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenactor/tokentest"
)

func TestLatencyInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := tokentest.New(tokentest.Options{Latency: 10 * time.Second, APILatency: time.Minute})
		begin := time.Now()
		r := mustRefresh(t, srv, srv.Login().RefreshToken)
		if got := time.Since(begin); got != 10*time.Second {
			t.Errorf("token call took %v, want 10 s", got)
		}
		if got := get(t, srv, r.access); got != http.StatusOK {
			t.Errorf("API: %d, want 200", got)
		}
		if got := time.Since(begin); got != 70*time.Second {
			t.Errorf("both took %v, want 70 s", got)
		}
	})
}

// A token that expires on the way is refused.
func TestExpiryOnTheWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := tokentest.New(tokentest.Options{Life: time.Minute, APILatency: 2 * time.Minute})
		if got := get(t, srv, srv.Login().AccessToken); got != http.StatusUnauthorized {
			t.Errorf("%d, want 401", got)
		}
	})
}

func TestContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := tokentest.New(tokentest.Options{Latency: time.Hour, APILatency: time.Hour})
		errLeft := errors.New("left")
		for _, url := range []string{srv.TokenURL(), srv.APIURL(), srv.RevokeURL()} {
			ctx, cancel := context.WithCancelCause(t.Context())
			if url == srv.RevokeURL() {
				cancel(errLeft) // it has no latency
			}
			time.AfterFunc(time.Second, func() { cancel(errLeft) })
			begin := time.Now()
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := srv.Transport().RoundTrip(req); err != errLeft || time.Since(begin) > time.Second {
				t.Errorf("%s: %v after %v, want %v within 1 s", url, err, time.Since(begin), errLeft)
			}
			synctest.Wait()
		}
		for _, c := range srv.Calls() {
			if c.Outcome != tokentest.OutcomeGone {
				t.Errorf("logged as %v, want gone", c)
			}
		}
	})
}

func TestUnknownPlaces(t *testing.T) {
	srv := newServer(t, tokentest.Options{})
	resp, err := srv.Client().Get("https://auth.example.com/elsewhere")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNotFound {
		t.Errorf("%d, want 404", resp.StatusCode)
	}

	_, err = srv.Client().Get("http://elsewhere.example.com/token")
	var op *net.OpError
	var dns *net.DNSError
	if !errors.As(err, &op) || op.Op != "dial" || !errors.As(err, &dns) || !dns.IsNotFound {
		t.Errorf("error %v, want no such host", err)
	}
}

func TestAfterClose(t *testing.T) {
	both(t, tokentest.Options{}, func(t *testing.T, srv *tokentest.Server) {
		urls := []string{srv.TokenURL(), srv.APIURL()}
		for range 2 {
			if err := srv.Close(); err != nil {
				t.Error(err)
			}
		}
		for _, url := range urls {
			_, err := srv.Client().Get(url)
			var op *net.OpError
			if !errors.As(err, &op) || op.Op != "dial" {
				t.Errorf("%s: %v, want a dial error", url, err)
			}
		}
	})
}

// Close ends what hangs, and a Slow call without its work.
func TestCloseEndsCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := tokentest.New(tokentest.Options{})
		srv.Next(tokentest.Hang(nil), tokentest.Slow(1000*time.Hour), tokentest.Late(1000*time.Hour))
		begin := time.Now()
		for range 3 {
			go refresh(srv, srv.Login().RefreshToken)
			synctest.Wait()
		}
		srv.Close()
		if got := srv.Stats(); got.TokenCalls != 3 || got.Refreshes != 1 || time.Since(begin) != 0 {
			t.Errorf("%+v after %v, want the work of Late only, at once", got, time.Since(begin))
		}
	})
}
