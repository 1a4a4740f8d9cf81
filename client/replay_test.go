package client_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"example.com/tokenactor/client"
	"example.com/tokenactor/manager"
)

// numbered is a managed credential whose refreshes give T1, T2 and so on, and
// their count.
func numbered(t *testing.T) (*manager.Credential, *atomic.Int32) {
	t.Helper()
	m, err := manager.New(manager.Config{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	var refreshes atomic.Int32
	return m.Manage("billing", manager.RefresherFunc(func(context.Context, string, manager.Token) (manager.Token, error) {
		return manager.Token{AccessToken: manager.NewSecret(fmt.Sprintf("T%d", refreshes.Add(1)))}, nil
	})), &refreshes
}

// Two requests carry T1. The 401 of the second comes when T2 is long in use.
func TestScenario05LateRejection(t *testing.T) {
	overBoth(t, func(t *testing.T, serve func(http.HandlerFunc) *loopback) {
		lateIsIn, release := make(chan struct{}), make(chan struct{})
		accept := bearers("T2")
		srv := serve(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/late" && r.Header.Get("Authorization") == "Bearer T1" {
				close(lateIsIn)
				<-release
			}
			accept(w, r)
		})
		source, refreshes := numbered(t)
		api := &http.Client{Transport: &client.Transport{Source: source, Base: srv.base}}

		var late sync.WaitGroup
		late.Go(func() {
			if got := get(t, api, srv.URL+"/late"); got != http.StatusOK {
				t.Errorf("the late request got %d, want 200", got)
			}
		})
		<-lateIsIn
		if got := get(t, api, srv.URL+"/first"); got != http.StatusOK {
			t.Errorf("the first request got %d, want 200", got)
		}
		close(release)
		late.Wait()
		if got := refreshes.Load(); got != 2 {
			t.Errorf("%d refreshes, want 2: T1 and one for both rejections", got)
		}
	})
}

// Fifty requests are in flight with one token when it dies.
func TestScenario06ManyInFlight(t *testing.T) {
	overBoth(t, func(t *testing.T, serve func(http.HandlerFunc) *loopback) {
		const workers = 50
		accept := bearers("T2")
		var in sync.WaitGroup
		in.Add(workers)
		srv := serve(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") == "Bearer T1" {
				in.Done()
				in.Wait()
			}
			accept(w, r)
		})
		source, refreshes := numbered(t)
		api := &http.Client{Transport: &client.Transport{Source: source, Base: srv.base}}

		var workersGroup sync.WaitGroup
		for i := range workers {
			workersGroup.Go(func() {
				want := fmt.Sprint("body ", i)
				resp, err := api.Post(srv.URL, "text/plain", strings.NewReader(want))
				if err != nil {
					t.Error(err)
					return
				}
				if got := text(t, resp); resp.StatusCode != http.StatusOK || got != want {
					t.Errorf("request %d got %d %q, want its own body back", i, resp.StatusCode, got)
				}
			})
		}
		workersGroup.Wait()
		if got := refreshes.Load(); got != 2 {
			t.Errorf("%d refreshes, want 2: T1 and one for all rejections", got)
		}
	})
}

// The login of a credential goes through the very client that it authorizes,
// and is sent bare; that of another credential is not.
func TestScenario09LoginThroughTheDecoratedClient(t *testing.T) {
	overBoth(t, func(t *testing.T, serve func(http.HandlerFunc) *loopback) {
		var logins atomic.Int32
		seen := make(chan string, 16)
		accept := bearers("outer-2", "inner-1")
		srv := serve(func(w http.ResponseWriter, r *http.Request) {
			seen <- r.URL.Path + " " + r.Header.Get("Authorization")
			switch r.URL.Path {
			case "/login/outer":
				_, _ = fmt.Fprint(w, "outer-", logins.Add(1))
			case "/login/inner":
				if r.Header.Get("Authorization") != "Bearer outer-2" {
					w.WriteHeader(http.StatusUnauthorized)
					return
				}
				_, _ = fmt.Fprint(w, "inner-1")
			default:
				accept(w, r)
			}
		})
		m, err := manager.New(manager.Config{Logger: quiet})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := m.Close(); err != nil {
				t.Error(err)
			}
		}()

		outer := &client.Transport{Base: srv.base}
		login := func(path string) manager.RefresherFunc {
			return func(ctx context.Context, _ string, _ manager.Token) (manager.Token, error) {
				req, _ := http.NewRequestWithContext(ctx, http.MethodPost, srv.URL+path, nil)
				resp, err := (&http.Client{Transport: outer}).Do(req)
				if err != nil {
					return manager.Token{}, err
				}
				defer func() { _ = resp.Body.Close() }()
				if resp.StatusCode != http.StatusOK {
					return manager.Token{}, fmt.Errorf("login answered %d", resp.StatusCode)
				}
				token, err := io.ReadAll(resp.Body)
				return manager.Token{AccessToken: manager.NewSecret(string(token))}, err
			}
		}
		outer.Source = m.Manage("outer", login("/login/outer"))
		inner := &client.Transport{Base: srv.base, Source: m.Manage("inner", login("/login/inner"))}

		if got := get(t, &http.Client{Transport: inner}, srv.URL+"/api"); got != http.StatusOK {
			t.Errorf("got %d, want 200", got)
		}
		close(seen)
		var got []string
		for request := range seen {
			got = append(got, request)
		}
		want := []string{"/login/outer ", "/login/inner Bearer outer-1", "/login/outer ",
			"/login/inner Bearer outer-2", "/api Bearer inner-1"}
		if !slices.Equal(got, want) {
			t.Errorf("the server saw\n%q, want\n%q", got, want)
		}
	})
}

// An endpoint that always says 401 costs 1 + MaxReplays sends; what is not the
// token's fault costs one. The connection is used again in every case.
func TestScenario25RefusedForGood(t *testing.T) {
	const invalid = `Bearer error="invalid_token"`
	for _, test := range []struct {
		status     int
		challenge  string
		maxReplays int
		sends      int
		renewals   int
	}{
		{401, invalid, 0, 2, 1},
		{401, "", 0, 2, 1},
		{401, invalid, 1, 2, 1},
		{401, invalid, 3, 4, 3},
		{401, invalid, -1, 1, 1},
		{401, `Bearer error="insufficient_scope", scope="admin"`, 3, 1, 0},
		{401, `DPoP error="use_dpop_nonce"`, 3, 1, 0},
		{403, invalid, 3, 1, 0},
		{407, "", 3, 1, 0},
	} {
		t.Run(fmt.Sprintf("%d %s MaxReplays %d", test.status, test.challenge, test.maxReplays), func(t *testing.T) {
			overBoth(t, func(t *testing.T, serve func(http.HandlerFunc) *loopback) {
				var sends atomic.Int32
				srv := serve(func(w http.ResponseWriter, r *http.Request) {
					sends.Add(1)
					if test.challenge != "" {
						w.Header().Set("WWW-Authenticate", test.challenge)
					}
					w.WriteHeader(test.status)
					_, _ = io.WriteString(w, strings.Repeat("x", 32<<10))
				})
				source := newSource("T1")
				rt := &client.Transport{Source: source, Base: srv.base, MaxReplays: test.maxReplays}
				ctx, opened := counting(t.Context())
				for range 2 {
					req, _ := http.NewRequestWithContext(ctx, http.MethodGet, srv.URL, nil)
					resp, err := rt.RoundTrip(req)
					if err != nil {
						t.Fatal(err)
					}
					if got := len(text(t, resp)); resp.StatusCode != test.status || got != 32<<10 {
						t.Errorf("got %d and %d bytes, want the whole %d", resp.StatusCode, got, test.status)
					}
				}
				if got := int(sends.Load()); got != 2*test.sends {
					t.Errorf("two requests were sent %d times, want %d", got, 2*test.sends)
				}
				if got := source.renewals(); got != 2*test.renewals {
					t.Errorf("%d renewals, want %d", got, 2*test.renewals)
				}
				if got := opened.Load(); got != 1 {
					t.Errorf("%d connections opened, want 1", got)
				}
			})
		})
	}
}

// The source is told of every replay with a renewed token and of nothing else.
func TestReplayedIsReported(t *testing.T) {
	for _, test := range []struct {
		name       string
		maxReplays int
		answers    []int
		want       []bool
	}{
		{"accepted at once", 0, []int{200}, nil},
		{"accepted after one", 0, []int{401, 200}, []bool{true}},
		{"another error is no rejection", 0, []int{401, 503}, []bool{true}},
		{"rejected again", 0, []int{401, 401}, []bool{false}},
		{"rejected twice, then accepted", 3, []int{401, 401, 401, 204}, []bool{false, false, true}},
		{"no replay", -1, []int{401}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			sends := 0
			source := newSource("T1")
			rt := &client.Transport{Source: source, MaxReplays: test.maxReplays, Base: baseFunc(func(*http.Request) (*http.Response, error) {
				sends++
				return answer(test.answers[sends-1], "", ""), nil
			})}
			resp, err := rt.RoundTrip(getRequest(0))
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if sends != len(test.answers) || !slices.Equal(source.reports, test.want) {
				t.Errorf("%d sends and reports %v, want %d and %v", sends, source.reports, len(test.answers), test.want)
			}
		})
	}
}

// A refused response larger than what is read ahead is still handed back whole.
func TestLarge401ComesBackWhole(t *testing.T) {
	overBoth(t, func(t *testing.T, serve func(http.HandlerFunc) *loopback) {
		large := strings.Repeat("0123456789abcdef", 20<<10) // 320 KiB
		srv := serve(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, large)
		})
		source := newSource("T1")
		source.fail = errNoToken
		rt := &client.Transport{Source: source, Base: srv.base}
		resp, err := rt.RoundTrip(mustRequest(t, http.MethodGet, srv.URL, nil))
		if err != nil {
			t.Fatal(err)
		}
		if got := text(t, resp); got != large {
			t.Errorf("got %d bytes, want %d", len(got), len(large))
		}
	})
}

// A refused response is closed once, whatever its size and whatever comes next.
func TestRefusedResponseIsClosed(t *testing.T) {
	for _, size := range []int{0, 1, 64 << 10, 64<<10 + 1, 1 << 20} {
		var refused []*countedBody
		rt := &client.Transport{Source: newSource("T1"), MaxReplays: 2, Base: baseFunc(func(*http.Request) (*http.Response, error) {
			resp := answer(http.StatusUnauthorized, "", "")
			refused = append(refused, newCountedBody(strings.NewReader(strings.Repeat("x", size))))
			resp.Body = refused[len(refused)-1]
			return resp, nil
		})}
		resp, err := rt.RoundTrip(getRequest(0))
		if err != nil {
			t.Fatal(err)
		}
		if got := len(text(t, resp)); got != size || len(refused) != 3 {
			t.Errorf("got %d bytes after %d sends, want %d after 3", got, len(refused), size)
		}
		for i, body := range refused {
			if n := body.closes.Load(); n != 1 {
				t.Errorf("%d bytes: response %d was closed %d times, want 1", size, i+1, n)
			}
		}
	}
}

func get(t *testing.T, c *http.Client, url string) int {
	t.Helper()
	resp, err := c.Get(url)
	if err != nil {
		t.Error(err)
		return 0
	}
	_ = text(t, resp)
	return resp.StatusCode
}
