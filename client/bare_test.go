package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"

	"example.com/tokenactor/client"
	"example.com/tokenactor/manager"
)

// Each way of a request to go without a token is noticed, once.
func TestOnBare(t *testing.T) {
	own := chain("https://api.example.com:8443/1")
	own.Header.Set("Authorization", "Basic eA==")
	host := chain("https://api.example.com/1")
	host.Host = "evil.example.com"
	refresh := chain("https://api.example.com/login").WithContext(context.WithValue(t.Context(), spanKey{}, "refresh"))
	for _, test := range []struct {
		name  string
		hosts []string
		req   *http.Request
		want  []string
	}{
		{"authorized", nil, chain("https://api.example.com"), nil},
		{"own", nil, own, []string{"https://api.example.com:8443: " + string(client.BareOwnAuthorization)}},
		{"abroad", nil, chain("https://api.example.com", "https://EXAMPLE.com:443/x?y"), []string{"https://example.com: " + string(client.BareOtherOrigin)}},
		{"downgrade", nil, chain("https://api.example.com", "http://api.example.com"), []string{"http://api.example.com: " + string(client.BarePlainHTTP)}},
		{"not listed", []string{"api.example.com"}, chain("https://example.com"), []string{"https://example.com: " + string(client.BareNotListed)}},
		{"listed for https", []string{"api.example.com"}, chain("http://api.example.com"), []string{"http://api.example.com: " + string(client.BarePlainHTTP)}},
		{"another Host header", []string{"api.example.com"}, host, []string{"https://api.example.com: " + string(client.BareNotListed)}},
		{"its own refresh", nil, refresh, nil},
	} {
		var told []string
		source := newSource("T1")
		source.busy = refresh.Context()
		rt := &client.Transport{Source: source, Hosts: test.hosts, Base: accepting("T1", new([]string)),
			OnBare: func(origin string, reason client.BareReason) { told = append(told, origin+": "+string(reason)) }}
		for range 3 {
			resp, err := rt.RoundTrip(test.req)
			if err != nil {
				t.Fatal(err)
			}
			_ = text(t, resp)
		}
		if !slices.Equal(told, test.want) {
			t.Errorf("%s: told %q, want %q", test.name, told, test.want)
		}
	}
}

// Ten thousand origins from many goroutines: each is told at most once, and the
// memory for them has an end.
func TestOnBareIsBounded(t *testing.T) {
	var mu sync.Mutex
	told := map[string]int{}
	rt := &client.Transport{Source: newSource("T1"), Hosts: []string{}, Base: baseFunc(func(*http.Request) (*http.Response, error) {
		return answer(http.StatusOK, "", ""), nil
	}), OnBare: func(origin string, _ client.BareReason) {
		mu.Lock()
		defer mu.Unlock()
		told[origin]++
	}}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 10_000 {
				resp, err := rt.RoundTrip(chain(fmt.Sprintf("https://api%d.example.com/x", i)))
				if err != nil {
					t.Error(err)
					return
				}
				_ = resp.Body.Close()
			}
		})
	}
	wg.Wait()
	if len(told) != 4096 {
		t.Errorf("%d origins were told, want 4096", len(told))
	}
	for origin, times := range told {
		if times != 1 {
			t.Errorf("%s was told %d times", origin, times)
		}
	}
}

// A header in the token's place is the caller's in any spelling of its name; an
// empty one is none; one without a value asks for a bare request.
func TestOwnHeaderSpellings(t *testing.T) {
	for _, place := range []struct {
		place client.Place
		name  string
		token string
	}{{nil, "Authorization", "Bearer T1"}, {client.Header("x-token"), "X-Token", "T1"}} {
		lower, upper, odd := map[string]string{"Authorization": "authorization", "X-Token": "x-token"}[place.name],
			map[string]string{"Authorization": "AUTHORIZATION", "X-Token": "X-TOKEN"}[place.name],
			map[string]string{"Authorization": "aUTHORIZATION", "X-Token": "x-tOKEN"}[place.name]
		for _, test := range []struct {
			own  http.Header
			want string // all that is sent under any spelling
		}{
			{http.Header{place.name: {"mine"}}, "[mine]"},
			{http.Header{lower: {"mine"}}, "[mine]"},
			{http.Header{upper: {"mine"}}, "[mine]"},
			{http.Header{odd: {"", "mine"}}, "[ mine]"},
			{http.Header{place.name: nil}, "[]"},
			{http.Header{lower: nil}, "[]"},
			{http.Header{lower: {}}, "[]"},
			{http.Header{place.name: {""}}, "[" + place.token + "]"},
			{http.Header{lower: {""}}, "[" + place.token + "]"},
			{http.Header{lower: {""}, upper: {"", ""}, place.name: {""}}, "[" + place.token + "]"},
			{http.Header{lower: {""}, upper: {"mine"}}, "[ mine]"},
			{http.Header{"Authorizatio": {"x"}, "Authorization2": {"x"}, "X-Toke": {"x"}}, "[" + place.token + "]"},
		} {
			var sent []string
			rt := &client.Transport{Source: newSource("T1"), Place: place.place, Base: baseFunc(func(req *http.Request) (*http.Response, error) {
				for key, values := range req.Header {
					if http.CanonicalHeaderKey(key) == place.name {
						sent = append(sent, values...)
					}
				}
				return answer(http.StatusOK, "", ""), nil
			})}
			req := getRequest(2)
			for key, values := range test.own {
				req.Header[key] = values
			}
			before := fmt.Sprint(req.Header)
			resp, err := rt.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(sent)
			if got := fmt.Sprint(sent); got != test.want {
				t.Errorf("%q: sent %q, want %q", test.own, got, test.want)
			}
			if resp.Request != req || fmt.Sprint(req.Header) != before {
				t.Errorf("%q: the caller's request was changed, or is not that of the response", test.own)
			}
		}
	}
}

// A CheckRedirect that copies a header that is not there leaves the token alone.
func TestCheckRedirectThatCopiesAnEmptyHeader(t *testing.T) {
	var seen []string
	base := baseFunc(func(req *http.Request) (*http.Response, error) {
		seen = append(seen, req.Header.Get("Authorization"))
		resp := answer(http.StatusFound, "", "")
		resp.Header.Set("Location", "/there")
		if len(seen) > 1 {
			resp.StatusCode = http.StatusOK
		}
		return resp, nil
	})
	c := &http.Client{Transport: &client.Transport{Source: newSource("T1"), Base: base}, CheckRedirect: func(req *http.Request, via []*http.Request) error {
		req.Header.Set("Authorization", via[0].Header.Get("Authorization"))
		return nil
	}}
	if get(t, c, "https://api.example.com/here"); !slices.Equal(seen, []string{"Bearer T1", "Bearer T1"}) {
		t.Errorf("sent %q, want the token twice", seen)
	}
}

// The wait for the first token ends with the cause of the context, as the one for
// a renewal does; an error of the Source's own comes through.
func TestCauseWhileWaitingForAToken(t *testing.T) {
	cause := errors.New("the user left")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	base := baseFunc(func(*http.Request) (*http.Response, error) {
		t.Error("a request was sent")
		return nil, errors.New("not to be reached")
	})
	m, err := manager.New(manager.Config{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	hangs := m.Manage("a", manager.RefresherFunc(func(ctx context.Context, _ string, _ manager.Token) (manager.Token, error) {
		<-ctx.Done()
		return manager.Token{}, ctx.Err()
	}))
	for _, test := range []struct {
		source client.Source
		want   error
	}{{hangs, cause}, {stuck{newSource("T1"), true}, cause}, {noToken{}, errNoToken}} {
		_, err := (&client.Transport{Source: test.source, Base: base}).RoundTrip(getRequest(0).WithContext(ctx))
		if !errors.Is(err, test.want) {
			t.Errorf("%T: got %v, want %v", test.source, err, test.want)
		}
	}
}
