package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"example.com/tokenactor/client"
	"example.com/tokenactor/manager"
)

// A cookieAPI wants its session's cookie beside the token, and its load balancer one of its
// own, which it sets with its 401.
type cookieAPI struct {
	*httptest.Server
	logins int
	seen   []string // "token cookies" of each request but the logins
}

func newCookieAPI(t *testing.T) *cookieAPI {
	api := &cookieAPI{}
	api.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		session := fmt.Sprint("s", api.logins)
		if r.URL.Path == "/login" {
			api.logins++
			http.SetCookie(w, &http.Cookie{Name: "session", Value: fmt.Sprint("s", api.logins), Path: "/"})
			return
		}
		api.seen = append(api.seen, r.Header.Get("Authorization")+" "+strings.Join(r.Header.Values("Cookie"), " | "))
		if c, err := r.Cookie("session"); err != nil || c.Value != session || r.Header.Get("Authorization") != "Bearer t"+session[1:] {
			http.SetCookie(w, &http.Cookie{Name: "node", Value: "7", Path: "/"})
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	t.Cleanup(api.Close)
	return api
}

// client returns one that logs in through itself, with a jar.
func (api *cookieAPI) client(t *testing.T) *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	decorator := &client.Transport{Base: api.Client().Transport, Jar: jar}
	c := &http.Client{Transport: decorator, Jar: jar}
	decorator.Source = managedBy(t, manager.RefresherFunc(func(ctx context.Context, _ string, _ manager.Token) (manager.Token, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, api.URL+"/login", nil)
		if err != nil {
			return manager.Token{}, err
		}
		resp, err := c.Do(req)
		if err != nil {
			return manager.Token{}, err
		}
		return manager.Token{AccessToken: manager.NewSecret(fmt.Sprint("t", api.logins))}, resp.Body.Close()
	}))
	return c
}

// The session's cookie comes from the login, in the middle of the first request; and the
// replay has what the login and the 401 have set.
func TestCookiesOfTheLogin(t *testing.T) {
	api := newCookieAPI(t)
	c := api.client(t)
	do := func() int {
		req, err := http.NewRequest(http.MethodGet, api.URL+"/page", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.AddCookie(&http.Cookie{Name: "mine", Value: `a b`, Quoted: true})
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	codes := []int{do(), do()}
	api.logins++ // the session is over, and so is its token
	codes = append(codes, do(), do())
	if !slices.Equal(codes, []int{200, 200, 200, 200}) || api.logins != 3 {
		t.Errorf("got %v after %d logins, want 200 after the first and another", codes, api.logins)
	}
	want := []string{
		`Bearer t1 mine="a b"; session=s1`,
		`Bearer t1 mine="a b"; session=s1`,
		`Bearer t1 mine="a b"; session=s1`,
		`Bearer t3 mine="a b"; node=7; session=s3`,
		`Bearer t3 mine="a b"; session=s3; node=7`,
	}
	for i, got := range api.seen {
		// The jar's order is its own.
		if i >= len(want) || got != want[i] && got != strings.Replace(want[i], "node=7; session=s3", "session=s3; node=7", 1) {
			t.Errorf("request %d: the server saw %s, want %s", i, got, want[min(i, len(want)-1)])
		}
	}
	if len(api.seen) != len(want) {
		t.Errorf("%d requests, want %d: %q", len(api.seen), len(want), api.seen)
	}
}

// A request with cookies of its own, which the jar does not know, is sent as it is.
func TestCookiesOfTheCaller(t *testing.T) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	place := &url.URL{Scheme: "https", Host: "api.example.com", Path: "/"}
	for name, test := range map[string]struct{ jar, header, want string }{
		"none":                       {"", "", ""},
		"the caller's alone":         {"", "a=1; a=2", "a=1; a=2"},
		"the jar's alone":            {"b=1", "", "b=1"},
		"both, as http.Client does":  {"b=1", "a=1; b=1", "a=1; b=1"},
		"twice, as http.Client does": {"b=1", "b=0; b=1", "b=0; b=1"},
		"the jar has a newer one":    {"b=2", "a=1; b=1", "a=1; b=2"},
		"not quite a cookie":         {"b=2", "a=1; nonsense; b=1", "a=1; nonsense; b=2"},
		"what Go does not parse":     {"b=2", `prefs={"theme":"dark"}; name=Jürgen; b=1`, `prefs={"theme":"dark"}; name=Jürgen; b=2`},
	} {
		t.Run(name, func(t *testing.T) {
			jar, _ = cookiejar.New(nil)
			if test.jar != "" {
				key, value, _ := strings.Cut(test.jar, "=")
				jar.SetCookies(place, []*http.Cookie{{Name: key, Value: value}})
			}
			var got string
			d := &client.Transport{Source: newSource("T1"), Jar: jar, Base: baseFunc(func(r *http.Request) (*http.Response, error) {
				got = strings.Join(r.Header.Values("Cookie"), " | ")
				return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
			})}
			req, err := http.NewRequest(http.MethodGet, place.String(), nil)
			if test.header != "" {
				req.Header.Set("Cookie", test.header)
			}
			if _, err := d.RoundTrip(req); errors.Join(err) != nil {
				t.Fatal(err)
			}
			if err != nil || got != test.want {
				t.Errorf("sent %q, %v, want %q", got, err, test.want)
			}
			if req.Header.Get("Cookie") != test.header {
				t.Errorf("the caller's header was changed: %q", req.Header)
			}
		})
	}
}

// managedBy is a credential of a manager that ends with the test.
func managedBy(t *testing.T, r manager.Refresher, policy ...manager.Policy) *manager.Credential {
	t.Helper()
	m, err := manager.New(manager.Config{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m.Manage("api", r, policy...)
}

// A 401 that ends the session, and the login that begins the next: the cookies are stored in
// the order in which they came.
func TestCookiesOfTheRejectionComeFirst(t *testing.T) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	place := &url.URL{Scheme: "https", Host: "api.example.com", Path: "/"}
	jar.SetCookies(place, []*http.Cookie{{Name: "session", Value: "s1"}})
	logins := 0
	source := managedBy(t, manager.RefresherFunc(func(context.Context, string, manager.Token) (manager.Token, error) {
		if logins++; logins > 1 {
			jar.SetCookies(place, []*http.Cookie{{Name: "session", Value: "s2"}})
		}
		return manager.Token{AccessToken: manager.NewSecret(fmt.Sprint("t", logins))}, nil
	}))
	var seen []string
	d := &client.Transport{Source: source, Jar: jar, Base: baseFunc(func(r *http.Request) (*http.Response, error) {
		seen = append(seen, r.Header.Get("Cookie"))
		resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody}
		if len(seen) == 1 {
			resp.StatusCode = http.StatusUnauthorized
			resp.Header.Set("Set-Cookie", "session=; Max-Age=0")
		}
		return resp, nil
	})}
	resp, err := (&http.Client{Transport: d, Jar: jar}).Get(place.String())
	if err != nil || resp.StatusCode != http.StatusOK || !slices.Equal(seen, []string{"session=s1", "session=s2"}) {
		t.Errorf("got %v, %v after %q, want the login's cookie at the replay", resp, err, seen)
	}
	if got := jar.Cookies(place); len(got) != 1 || got[0].Value != "s2" {
		t.Errorf("the jar has %v, want the login's cookie", got)
	}
}
