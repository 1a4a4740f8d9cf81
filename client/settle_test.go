package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenactor/client"
	"example.com/tokenactor/manager"
)

// A laggingAPI knows each token a while after its issue.
type laggingAPI struct {
	lag    time.Duration
	issued map[string]time.Time
	sent   []time.Duration // since the issue
	bodies []string
}

func (api *laggingAPI) Refresh(context.Context, string, manager.Token) (manager.Token, error) {
	token := fmt.Sprint("t", len(api.issued)+1)
	api.issued["Bearer "+token] = time.Now()
	return manager.Token{AccessToken: manager.NewSecret(token), ExpiresIn: time.Hour}, nil
}

func (api *laggingAPI) RoundTrip(r *http.Request) (*http.Response, error) {
	age := time.Since(api.issued[r.Header.Get("Authorization")])
	api.sent = append(api.sent, age)
	code := http.StatusOK
	if age < api.lag {
		code = http.StatusUnauthorized
	}
	if r.Body != nil {
		content, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		_ = r.Body.Close()
		api.bodies = append(api.bodies, string(content))
	}
	return &http.Response{StatusCode: code, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
}

// A token that the API does not know yet is not replaced, but waited for: the request is sent
// with it again and again, later and later, body and all.
func TestSettle(t *testing.T) {
	const second = time.Second
	for name, test := range map[string]struct {
		lag, settle time.Duration
		max         int
		code        int
		sent        []time.Duration // of all tokens
		logins      int
		reason      error
	}{
		"known at once":                     {0, 8 * second, 0, 200, []time.Duration{0}, 1, nil},
		"known after a moment":              {400 * time.Millisecond, 8 * second, 0, 200, []time.Duration{0, second / 2}, 1, nil},
		"known late":                        {5 * second, 8 * second, 0, 200, []time.Duration{0, second / 2, second, 2 * second, 4 * second, 8 * second}, 1, nil},
		"later than that: renewed":          {9 * second, 8 * second, 0, 401, []time.Duration{0, second / 2, second, 2 * second, 4 * second, 8 * second, 0, second / 2, second, 2 * second, 4 * second, 8 * second}, 2, manager.ErrStillRejected},
		"no settling":                       {5 * second, 0, 0, 401, []time.Duration{0, 0}, 2, manager.ErrStillRejected},
		"no replays, and nothing is blamed": {5 * second, 8 * second, -1, 401, []time.Duration{0}, 1, client.ErrReplays},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := &laggingAPI{lag: test.lag, issued: make(map[string]time.Time)}
				c := managedBy(t, api, manager.Policy{Settle: test.settle})
				d := &client.Transport{Source: c, Base: api, MaxReplays: test.max}
				req, err := http.NewRequest(http.MethodPost, "https://api.example.com/", io.MultiReader(strings.NewReader("whole"), strings.NewReader(" body")))
				if err != nil {
					t.Fatal(err)
				}
				resp, err := d.RoundTrip(req)
				if err != nil || resp.StatusCode != test.code || !errors.Is(client.Reason(resp), test.reason) || (test.reason == nil) != (client.Reason(resp) == nil) {
					t.Fatalf("got %v, %v, %v, want %d, %v", resp, err, client.Reason(resp), test.code, test.reason)
				}
				if !slices.Equal(api.sent, test.sent) || len(api.issued) != test.logins {
					t.Errorf("sent %v after the issue of %d tokens, want %v of %d", api.sent, len(api.issued), test.sent, test.logins)
				}
				for _, b := range api.bodies {
					if b != "whole body" {
						t.Errorf("a body arrived as %q", b)
					}
				}
				synctest.Wait()
			})
		})
	}
}

// The wait ends with the request's context, and with the token: a newer one is sent at once.
func TestSettleEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &laggingAPI{lag: 5 * time.Second, issued: make(map[string]time.Time)}
		c := managedBy(t, api, manager.Policy{Settle: 8 * time.Second})
		d := &client.Transport{Source: c, Base: api}
		gone := errors.New("the caller has gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(3*time.Second, func() { cancel(gone) })
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://api.example.com/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.RoundTrip(req); !errors.Is(err, gone) || len(api.sent) != 4 {
			t.Errorf("got %v after %d sends, want the cause after 4", err, len(api.sent))
		}
		token, err := c.Token(t.Context())
		if err != nil || c.Settling(manager.Rejection{Token: token}) == 0 {
			t.Fatalf("Settling = 0, %v, for a token of 3 s", err)
		}
		if err := c.Install(t.Context(), manager.Token{AccessToken: manager.NewSecret("other")}); err != nil {
			t.Fatal(err)
		}
		if got := c.Settling(manager.Rejection{Token: token}); got != 0 {
			t.Errorf("Settling = %v for a token that was replaced", got)
		}
	})
}

// Nothing is waited for where nothing comes of it: a body that cannot be sent again, a deadline
// that comes first, a resource that rejects fresh tokens.
func TestSettleInVain(t *testing.T) {
	long := func() io.Reader { return io.MultiReader(strings.NewReader(strings.Repeat("x", 1<<20))) }
	for name, test := range map[string]struct {
		body  io.Reader
		limit time.Duration
		bad   bool
		sends int // of the request at hand
		want  error
	}{
		"the body is gone":       {long(), time.Hour, false, 1, client.ErrBody},
		"the deadline is nearer": {nil, 100 * time.Millisecond, false, 1, nil},
		"the resource is bad":    {nil, time.Hour, true, 1, manager.ErrStillRejected},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := &laggingAPI{lag: time.Hour, issued: make(map[string]time.Time)}
				c := managedBy(t, api, manager.Policy{Settle: 8 * time.Second})
				d := &client.Transport{Source: c, Base: api}
				if test.bad { // it rejects a token of 8 s, and then a fresh one
					if _, err := (&http.Client{Transport: d}).Get("https://api.example.com/"); err != nil {
						t.Fatal(err)
					}
				}
				ctx, cancel := context.WithTimeout(t.Context(), test.limit)
				defer cancel()
				begun, sent := time.Now(), len(api.sent)
				req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://api.example.com/", test.body)
				if err != nil {
					t.Fatal(err)
				}
				resp, err := d.RoundTrip(req)
				if err != nil || resp.StatusCode != http.StatusUnauthorized || time.Since(begun) != 0 || len(api.sent)-sent != test.sends {
					t.Fatalf("got %v, %v after %v and %d sends, want the 401 at once", resp, err, time.Since(begun), len(api.sent)-sent)
				}
				if reason := client.Reason(resp); reason == nil || test.want != nil && !errors.Is(reason, test.want) {
					t.Errorf("Reason: got %v, want %v", reason, test.want)
				}
				synctest.Wait()
			})
		})
	}
}
