package oauth_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenactor/client"
	"example.com/tokenactor/manager"
	"example.com/tokenactor/oauth"
	"example.com/tokenactor/tokentest"
)

// Scenario 21, the part of the token endpoint: a clock that is hours wrong, and the
// first token comes all the same, since the Date of the refusal says how wrong.
func TestScenario21WrongClock(t *testing.T) {
	for _, offset := range []time.Duration{-3 * time.Hour, -10 * time.Minute, 0, 10 * time.Minute, 3 * time.Hour} {
		for name, options := range map[string]tokentest.Options{
			"assertion":       {AssertionKey: signers()["ES256"].Public()},
			"private_key_jwt": {ClientKey: signers()["ES256"].Public()},
			"proof":           {DPoP: true},
			"proof and nonce": {DPoP: true, Nonces: true},
		} {
			synctest.Test(t, func(t *testing.T) {
				options.ClockOffset, options.Latency = offset, 3*time.Second
				srv := tokentest.New(options)
				defer srv.Close()
				key := keyOf(t, "ES256")
				o := oauth.Options{Client: srv.Client()}
				if options.ClientKey != nil {
					o.Auth = oauth.PrivateKeyJWT(key, "")
				}
				if options.DPoP {
					o.DPoP = oauth.NewDPoP(key)
				}
				r := oauth.RefreshToken(configOf(srv), o)
				if options.AssertionKey != nil {
					r = oauth.JWTBearer(configOf(srv), key.Assertion(oauth.Claims{Issuer: "x", Audience: srv.Issuer()}), o)
				}
				c := begin(t, manager.Config{}).Manage("x", r)
				install(t, c, manager.Token{RefreshToken: manager.NewSecret(srv.Login().RefreshToken)})
				for range 3 {
					token, err := c.Token(t.Context())
					if err == nil {
						_, err = c.Renew(t.Context(), token)
					}
					if err != nil {
						t.Fatalf("%s, %v wrong: %v", name, offset, err)
					}
				}
				if stats := srv.Stats(); stats.Reuses != 0 || stats.TokenCalls > 4+2 {
					t.Errorf("%s, %v wrong: got %+v, want four refreshes and a wrong beginning", name, offset, stats)
				}
				if !options.DPoP {
					return
				}
				api := &http.Client{Transport: &client.Transport{Source: c, Base: srv.Transport(), Place: o.DPoP}}
				for range 3 {
					if status := get(t, api, srv.APIURL()); status != 200 {
						t.Errorf("%s, %v wrong: the API answered %d", name, offset, status)
					}
				}
			})
		}
	}
}

// A refusal that a wrong clock does not explain is sent once.
func TestNoSecondRequest(t *testing.T) {
	now := time.Now()
	for _, test := range []struct {
		body string
		date time.Time
		want int
	}{
		{`{"error":"invalid_client"}`, now, 1},
		{`{"error":"invalid_client"}`, now.Add(time.Hour), 1},      // a secret
		{`{"error":"invalid_dpop_proof"}`, now.Add(-time.Hour), 1}, // there was none
		{`{"error":"invalid_grant"}`, now.Add(time.Hour), 1},       // of a refresh token
		{`{"error":"invalid_request"}`, now.Add(time.Hour), 1},
		{``, now.Add(time.Hour), 1},
	} {
		w := answering(400, test.body, "Date", test.date.UTC().Format(http.TimeFormat))
		if _, err := spend(t, w); err == nil || len(w.sent) != test.want {
			t.Errorf("%s, %v wrong: got %v after %d requests, want %d", test.body, test.date.Sub(now), err, len(w.sent), test.want)
		}
	}
}

// All who signed at the wrong time learn so from their own refusals, although only
// one of them finds the drift changed.
func TestWrongClockOfMany(t *testing.T) {
	for name, form := range map[string]string{"assertion": "assertion", "private_key_jwt": "client_assertion"} {
		synctest.Test(t, func(t *testing.T) {
			var held, sent atomic.Int32
			release := make(chan struct{})
			network := roundTripper(func(r *http.Request) (*http.Response, error) {
				sent.Add(1)
				body, err := io.ReadAll(r.Body)
				if err != nil {
					return nil, err
				}
				q, err := url.ParseQuery(string(body))
				if err != nil {
					return nil, err
				}
				_, claims := readJWS(t, q.Get(form))
				at := time.Now().Add(-time.Hour)
				if claims["iat"].(float64) > float64(at.Add(time.Minute).Unix()) {
					if held.Add(1) == 20 {
						close(release)
					}
					<-release
					code := map[string]string{"assertion": "invalid_grant", "client_assertion": "invalid_client"}[form]
					return response(400, `{"error":"`+code+`"}`, "Date", at.UTC().Format(http.TimeFormat)), nil
				}
				return response(200, good, "Date", at.UTC().Format(http.TimeFormat)), nil
			})
			key := keyOf(t, "ES256")
			o := oauth.Options{Client: &http.Client{Transport: network}}
			if form == "client_assertion" {
				o.Auth = oauth.PrivateKeyJWT(key, "")
			}
			r := oauth.RefreshToken(userConfig(), o)
			if form == "assertion" {
				r = oauth.JWTBearer(userConfig(), key.Assertion(oauth.Claims{Issuer: "x"}), o)
			}
			var callers sync.WaitGroup
			for range 20 {
				callers.Go(func() {
					if _, err := r.Refresh(t.Context(), "x", manager.Token{RefreshToken: manager.NewSecret(refreshToken)}); err != nil {
						t.Errorf("%s: %v", name, err)
					}
				})
			}
			callers.Wait()
			if n := sent.Load(); n != 40 {
				t.Errorf("%s: sent %d times, want each twice", name, n)
			}
		})
	}
}

// Of an API only the Date of a refused proof counts: others come out of caches.
func TestDPoPIgnoresCachedDates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dpop := oauth.NewDPoP(keyOf(t, "EdDSA"))
		token := &manager.Token{AccessToken: manager.NewSecret("at-1"), Type: "DPoP"}
		issued := func() time.Time {
			req, err := http.NewRequest("GET", "https://api.example.com/x", nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := dpop.Put(req, token); err != nil {
				t.Fatal(err)
			}
			_, claims := readJWS(t, req.Header.Get("DPoP"))
			return time.Unix(int64(claims["iat"].(float64)), 0)
		}
		observe := func(status int, challenge string, ahead time.Duration) bool {
			req, err := http.NewRequest("GET", "https://api.example.com/x", nil)
			if err != nil {
				t.Fatal(err)
			}
			resp := &http.Response{StatusCode: status, Request: req, Body: io.NopCloser(strings.NewReader("")), Header: http.Header{
				"Www-Authenticate": {challenge}, "Date": {time.Now().Add(ahead).UTC().Format(http.TimeFormat)}}}
			return dpop.Observe(resp)
		}
		if observe(200, "", -5*time.Hour) || time.Since(issued()).Abs() > time.Second {
			t.Errorf("an old answer set the clock to %v", issued())
		}
		const wrong = `DPoP error="invalid_dpop_proof"`
		if !observe(401, wrong, -5*time.Hour) || time.Until(issued().Add(5*time.Hour)).Abs() > 2*time.Second {
			t.Errorf("a refused proof left the clock at %v", issued())
		}
		time.Sleep(time.Second)
		if !observe(401, wrong, -5*time.Hour) {
			t.Error("a proof that was under way when another one was refused is not sent again")
		}
		time.Sleep(time.Minute)
		if observe(401, wrong, -5*time.Hour) {
			t.Error("a proof that was refused for another reason is sent again")
		}
		if !observe(401, wrong, 0) || time.Since(issued()).Abs() > time.Second {
			t.Errorf("the clock was set right, and is %v", issued())
		}
	})
}
