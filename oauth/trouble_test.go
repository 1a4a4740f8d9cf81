package oauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/oauth"
	"example.com/tokenactor/persist"
	"golang.org/x/oauth2/clientcredentials"
)

const renewed = `{"access_token":"at-1","refresh_token":"rt-2","expires_in":3600}`

// loggedIn is a user's login over w, stored.
func loggedIn(t *testing.T, w *wire) *manager.Credential {
	t.Helper()
	c := begin(t, manager.Config{Store: &persist.Memory{}}).Manage("user", oauth.RefreshToken(userConfig(), w.options()))
	install(t, c, manager.Token{RefreshToken: manager.NewSecret(refreshToken)})
	return c
}

// askEach asks for a token in an interval, for so long, and returns the last error, and
// when callers were first told to log in, 0: never or at once.
func askEach(interval time.Duration, c *manager.Credential, long time.Duration) (told time.Duration, last error) {
	for start := time.Now(); time.Since(start) < long; time.Sleep(interval) {
		_, last = c.Token(context.Background())
		if told == 0 && (errors.Is(last, manager.ErrLoginRequired) || errors.Is(last, manager.ErrLoginSuspected)) {
			told = time.Since(start)
		}
	}
	return told, last
}

// Trouble in words that nobody knows ends no login: ten minutes of it, then the
// endpoint is well, and so is the login.
func TestTroubleEndsNoLogin(t *testing.T) {
	for _, test := range []struct {
		name   string
		status int
		body   string
	}{
		{"internal_error at 200", 200, `{"ok":false,"error":"internal_error"}`},
		{"fatal_error at 200", 200, `{"ok":false,"error":"fatal_error"}`},
		{"service_unavailable at 200", 200, `{"ok":false,"error":"service_unavailable"}`},
		{"ratelimited at 200", 200, `{"ok":false,"error":"ratelimited"}`},
		{"too many requests in a description", 400, `{"error":"Access Denied","error_description":"You have made too many requests continuously. …","status":"failure"}`},
		{"rate_limit_exceeded at 403", 403, `{"error":"rate_limit_exceeded"}`},
		{"rate_limit_exceeded at 400", 400, `{"error":"rate_limit_exceeded"}`},
		{"unknown_error", 400, `{"error":"unknown_error","error_description":"retry your request"}`},
		{"is_transient", 400, `{"error":{"message":"…","type":"OAuthException","is_transient":true,"code":2}}`},
		{"a phrase of HTTP", 401, `{"error":"Unauthorized"}`},
		{"an object without a code", 400, `{"message":"Bad request"}`},
		{"an empty 400", 400, ``},
		{"maintenance at 200", 200, `{"error":"maintenance"}`},
		{"ip_not_allowed", 403, `{"error":"ip_not_allowed"}`},
		{"invalid_request", 400, `{"error":"invalid_request","error_description":"the assertion is in the future"}`},
		{"invalid_grant at 503", 503, `{"error":"invalid_grant"}`},
		{"a page", 400, page},
	} {
		inBubble(t, test.name, func(t *testing.T) {
			start := time.Now()
			w := &wire{answer: func(*http.Request) (*http.Response, error) {
				if time.Since(start) < 10*time.Minute {
					return response(test.status, test.body), nil
				}
				return response(200, renewed), nil
			}}
			c := loggedIn(t, w)
			// Suspicion is asked for ever less often: twice the time that the trouble took is
			// time enough for the next question.
			if _, err := askEach(time.Second, c, 25*time.Minute); err != nil {
				t.Errorf("15 minutes after the trouble: %v", err)
			}
		})
	}
}

// What comes now and then among other failures does not add up to the end of a login.
func TestTroubleDoesNotAddUp(t *testing.T) {
	inBubble(t, "one odd 400 among ten", func(t *testing.T) {
		start := time.Now()
		w := &wire{}
		w.answer = func(*http.Request) (*http.Response, error) {
			switch {
			case time.Since(start) > time.Hour:
				return response(200, renewed), nil
			case len(w.sent)%10 == 0:
				return response(400, ``), nil
			}
			return response(503, ``), nil
		}
		if told, err := askEach(time.Second, loggedIn(t, w), 150*time.Minute); err != nil {
			t.Errorf("an hour and a half after the trouble: %v; told to log in after %v", err, told)
		}
	})
}

// A refresh token that is refused for good, in words of the server's own: callers are
// told to log in, soon, and the server is asked a few times a day.
func TestRefusedInWordsOfItsOwn(t *testing.T) {
	for _, test := range []struct {
		name   string
		status int
		body   string
		final  bool // the words are known: one request
	}{
		{"refresh_token_reused", 401, `{"error":{"message":"…","type":"invalid_request_error","code":"refresh_token_reused"}}`, true},
		{"refresh_token_expired", 401, `{"error":{"code":"refresh_token_expired"}}`, true},
		{"refresh_token_invalidated", 401, `{"error":{"code":"refresh_token_invalidated"}}`, true},
		{"invalid_refresh_token", 422, `{"error":"invalid_refresh_token"}`, true},
		{"not_found_error", 404, `{"type":"error","error":{"type":"not_found_error","message":"Not Found"}}`, false},
		{"not_found", 404, `{"error":"not_found"}`, false},
		{"unauthorized_client", 403, `{"error":"unauthorized_client","error_description":"refresh_token is invalid"}`, false},
		{"a number", 200, `{"errcode":42002,"errmsg":"refresh_token expired"}`, false},
		{"a sentence", 200, `{"status":503,"body":{},"error":"Invalid Params: invalid refresh_token"}`, false},
		{"an empty 401", 401, ``, false},
	} {
		inBubble(t, test.name, func(t *testing.T) {
			w := answering(test.status, test.body)
			told, last := askEach(10*time.Second, loggedIn(t, w), 24*time.Hour)
			if told > 3*time.Minute || told == 0 && !errors.Is(last, manager.ErrLoginRequired) && !errors.Is(last, manager.ErrLoginSuspected) {
				t.Errorf("told to log in after %v: %v", told, last)
			}
			if final := errors.Is(last, manager.ErrLoginRequired); final != test.final {
				t.Errorf("after a day: %v, final: %v, want %v", last, final, test.final)
			}
			most := 60
			if test.final {
				most = 1
			}
			if n := len(w.sent); n > most {
				t.Errorf("%d requests in a day, want %d at most", n, most)
			}
		})
	}
}

// An answer that is whole, in a wrapping that is not, keeps the login, from the wire to
// the caller.
func TestWholeAnswerKeepsTheLogin(t *testing.T) {
	for name, answer := range map[string]func() *http.Response{
		"a comment behind it":  func() *http.Response { return response(200, renewed+"\n<!-- x -->") },
		"a notice before it":   func() *http.Response { return response(200, "<b>Notice</b>: x\n"+renewed, "Content-Type", asHTML) },
		"a form that is HTML":  func() *http.Response { return response(200, wholeForm, "Content-Type", asHTML) },
		"gzip, though unasked": func() *http.Response { return response(200, gzipped(t, renewed)) },
	} {
		inBubble(t, name, func(t *testing.T) {
			w := &wire{}
			w.answer = func(*http.Request) (*http.Response, error) {
				if len(w.sent) > 1 {
					return response(400, `{"error":"invalid_grant"}`), nil // the first one is spent
				}
				return answer(), nil
			}
			if told, err := askEach(time.Second, loggedIn(t, w), 2*time.Minute); err != nil || told != 0 {
				t.Errorf("got %v, told to log in after %v", err, told)
			}
		})
	}
}

// Lives, from the wire to the caller: 0 at a login is no end; milliseconds are read as
// such.
func TestLivesOfALogin(t *testing.T) {
	for body, want := range map[string]time.Duration{
		`{"access_token":"at-1","expires_in":0,"scope":null}`:                0,
		`{"access_token":"at-1","expires_in":"-1"}`:                          0,
		`{"access_token":"at-1","refresh_token":"rt-1","expires_in":0}`:      0,
		`{"access_token":"at-1","expires_in":3600000,"expires_in_sec":3600}`: time.Hour,
		`{"access_token":"at-1","expires_at":946688400000}`:                  time.Hour, // virtual time begins in 2000
	} {
		inBubble(t, body, func(t *testing.T) {
			w := &wire{}
			w.answer = func(*http.Request) (*http.Response, error) {
				if len(w.sent) == 1 {
					return response(200, `{"device_code":"at-1","user_code":"AB-CD","verification_uri":"https://auth.example.com/go"}`), nil
				}
				return response(200, body), nil
			}
			cfg := userConfig()
			cfg.Endpoint.DeviceAuthURL = "https://auth.example.com/device"
			left := want
			if want > 0 && strings.Contains(body, "expires_at") { // a date: the poll came 5 s later
				left -= 5 * time.Second
			}
			login, err := oauth.DeviceLogin(t.Context(), cfg, silent, w.options())
			if err != nil || login.ExpiresIn != left {
				t.Fatalf("%s: got a life of %v, %v, want %v", body, login.ExpiresIn, err, left)
			}
			c := begin(t, manager.Config{}).Manage("user", oauth.RefreshToken(userConfig(), w.options()))
			install(t, c, login)
			token, err := c.Token(t.Context())
			if err != nil || token.Expiry.IsZero() != (want == 0) {
				t.Errorf("%s: got %v, %v, want a token that lives %v", body, token, err, left)
			}
		})
	}
}

// A server that hands out one token to its last second, which has a life of 0 seconds:
// no caller gets an error, and none a token that is over.
func TestOneTokenToItsEnd(t *testing.T) {
	inBubble(t, "", func(t *testing.T) {
		var mu sync.Mutex
		n, end := 0, time.Time{}
		left := func() time.Duration {
			mu.Lock()
			defer mu.Unlock()
			return time.Until(end)
		}
		w := &wire{answer: func(*http.Request) (*http.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			if time.Until(end) <= 0 {
				n, end = n+1, time.Now().Add(time.Hour)
			}
			return response(200, fmt.Sprintf(`{"access_token":"at-%d","expires_in":%d}`, n, int(time.Until(end).Seconds()))), nil
		}}
		cfg := clientcredentials.Config{ClientID: "crawler", ClientSecret: clientSecret, TokenURL: tokenURL}
		c := begin(t, manager.Config{}).Manage("crawler", oauth.ClientCredentials(cfg, w.options()))
		for start := time.Now(); time.Since(start) < 5*time.Hour; time.Sleep(500 * time.Millisecond) {
			if token, err := c.Token(t.Context()); err != nil || left() < 0 {
				t.Fatalf("after %v: got %v, %v, with %v left", time.Since(start), token, err, left())
			}
		}
		synctest.Wait()
		if len(w.sent) > 100 {
			t.Errorf("%d requests in 5 hours", len(w.sent))
		}
	})
}
