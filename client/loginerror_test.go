package client_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenactor/client"
	"example.com/tokenactor/manager"
)

func TestLoginError(t *testing.T) {
	for class, list := range map[manager.Class][]int{
		"":                         {200, 201, 204, 299},
		manager.ClassNotSent:       {429},
		manager.ClassUnknown:       {408, 504, 520, 524, 599},
		manager.ClassAnswered:      {101, 301, 302, 303, 304, 307, 308, 404, 405, 413, 415, 500, 501, 502, 503, 505, 519, 600},
		manager.ClassConfiguration: {400, 401, 402, 403, 406, 409, 410, 418, 422, 423, 451, 499},
	} {
		for _, status := range list {
			resp := answer(status, "", "the body with a secret")
			resp.Status = "999 text of the server with a secret"
			resp.Body = untouched{t}
			resp.Request = &http.Request{URL: &url.URL{Scheme: "https", User: url.UserPassword("alice", "secret"), Host: "api.example.com:8443",
				Path: "/v1/log in", RawQuery: "key=secret", Fragment: "secret"}}
			err := client.LoginError(resp)
			if got := manager.ClassOf(err); got != class || (err == nil) != (class == "") {
				t.Errorf("%d: got %v of class %q, want class %q", status, err, got, class)
			}
			if err == nil {
				continue
			}
			if got := err.Error(); strings.Contains(got, "secret") || !strings.HasPrefix(got, "client: the login at api.example.com:8443/v1/log%20in answered ") {
				t.Errorf("%d: got %q, want the address without its query, and no secret", status, got)
			}
		}
	}
	if got, want := client.LoginError(&http.Response{StatusCode: 401}).Error(), "client: the login answered 401 Unauthorized"; got != want {
		t.Errorf("without a request: got %q, want %q", got, want)
	}
}

// untouched is a body that LoginError must leave alone.
type untouched struct{ t *testing.T }

func (u untouched) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, errors.New("read")
}
func (u untouched) Close() error { u.t.Error("the body was closed"); return nil }

// From the response to the caller: a wrong password is told at once and asked for
// again some minutes later, and the time that a server names is kept.
func TestLoginErrorInARefresher(t *testing.T) {
	for _, test := range []struct {
		name        string
		status      int
		retryAfter  string
		least, most time.Duration // until the next attempt
	}{
		{"a wrong password", 401, "", 4 * time.Minute, 6 * time.Minute},
		{"a wrong password, and a time that does not count", 401, "7", 4 * time.Minute, 6 * time.Minute},
		{"too many", 429, "120", 2 * time.Minute, 2*time.Minute + 10*time.Second},
		{"down", 503, "120", 2 * time.Minute, 2*time.Minute + 10*time.Second},
		{"down, no time named", 503, "", time.Millisecond, 10 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			start, calls := time.Now(), 0
			m, err := manager.New(manager.Config{})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			c := m.Manage("session", manager.RefresherFunc(func(_ context.Context, _ string, _ manager.Token) (manager.Token, error) {
				if calls++; calls > 1 {
					return manager.Token{AccessToken: manager.NewSecret("T"), ExpiresIn: time.Hour}, nil
				}
				resp := answer(test.status, "", "")
				resp.Header.Set("Retry-After", test.retryAfter)
				return manager.Token{}, client.LoginError(resp)
			}))
			_, err = c.Token(t.Context())
			refused, ok := errors.AsType[*manager.RefreshError](err)
			if !ok || errors.Is(err, manager.ErrLoginRequired) {
				t.Fatalf("%s: got %v, want a *RefreshError that is no end of a login", test.name, err)
			}
			if wait := refused.RetryAt.Sub(start); wait < test.least || wait > test.most {
				t.Errorf("%s: the next attempt comes after %v, want %v to %v", test.name, wait, test.least, test.most)
			}
			time.Sleep(time.Until(refused.RetryAt) + time.Second)
			if _, err := c.Token(t.Context()); err != nil {
				t.Errorf("%s: after the trouble: %v", test.name, err)
			}
		})
	}
}
