package oauth_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/oauth"
	"example.com/tokenactor/tokentest"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// manage makes a server, in memory, and a credential of the client credentials
// grant there.
func manage(t *testing.T, opts tokentest.Options) (*tokentest.Server, *manager.Credential) {
	t.Helper()
	srv, m := start(t, opts)
	return srv, crawlerAt(srv, m)
}

func crawlerAt(srv *tokentest.Server, m *manager.Manager) *manager.Credential {
	return m.Manage("crawler", oauth.ClientCredentials(clientcredentials.Config{
		ClientID:     srv.ClientID(),
		ClientSecret: srv.ClientSecret(),
		TokenURL:     srv.TokenURL(),
	}, oauth.Options{Client: srv.Client()}))
}

// start makes a server and a manager, which end with the test.
func start(t *testing.T, opts tokentest.Options) (*tokentest.Server, *manager.Manager) {
	t.Helper()
	srv := tokentest.New(opts)
	m, err := manager.New(manager.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	return srv, m
}

// get asks the API and gives the status.
func get(t *testing.T, api *http.Client, url string) int {
	t.Helper()
	resp, err := api.Get(url)
	if err != nil {
		t.Error(err)
		return 0
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// What x/oauth2's users do, first part: a user's login in oauth2.Transport, a
// hundred callers, tokens of five seconds, a minute. Invariants 1, 6 and 9.
func TestTokenSourceInTransport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, m := start(t, tokentest.Options{Life: 5 * time.Second, Latency: 50 * time.Millisecond, APILatency: 10 * time.Millisecond})
		user := m.Manage("user", refresherOf(srv))
		if err := user.Install(t.Context(), manager.Token{RefreshToken: manager.NewSecret(srv.Login().RefreshToken)}); err != nil {
			t.Fatal(err)
		}
		api := &http.Client{Transport: &oauth2.Transport{Source: oauth.TokenSource(t.Context(), user), Base: srv.Transport()}}
		end := time.Now().Add(time.Minute)
		var calls sync.WaitGroup
		for range 100 {
			calls.Go(func() {
				for time.Now().Before(end) {
					if status := get(t, api, srv.APIURL()+"/invoices"); status != 200 {
						t.Errorf("got %d, want 200", status)
						return
					}
					time.Sleep(100 * time.Millisecond)
				}
			})
		}
		calls.Wait()
		if stats := srv.Stats(); stats.Reuses > 0 || stats.MostAtOnce != 1 || stats.Refreshes > 20 || stats.Unauthorized > 0 {
			t.Errorf("got %+v, want about one refresh in four seconds, one at a time, none of a spent token", stats)
		}
	})
}

// Second part: oauth2.NewClient, with its cache around the source. In real time on
// loopback, since the cache holds a mutex while it asks, which stops a bubble.
func TestTokenSourceInNewClient(t *testing.T) {
	srv, m := start(t, tokentest.Options{})
	if err := srv.Start(); err != nil {
		t.Fatal(err)
	}
	credential := crawlerAt(srv, m)
	ctx := context.WithValue(t.Context(), oauth2.HTTPClient, srv.Client())
	api := oauth2.NewClient(ctx, oauth.TokenSource(ctx, credential))
	var calls sync.WaitGroup
	for range 20 {
		calls.Go(func() {
			for range 20 {
				if status := get(t, api, srv.APIURL()+"/invoices"); status != 200 {
					t.Errorf("got %d, want 200", status)
				}
			}
		})
	}
	calls.Wait()
	if stats := srv.Stats(); stats.ClientGrants != 1 || stats.Accepted != 400 {
		t.Errorf("got %+v, want one token for 400 requests", stats)
	}
}

// The cache of oauth2.NewClient goes on to the next token in time, with lives short
// and long and unknown.
func TestTokenSourceInNewClientOverTime(t *testing.T) {
	for _, life := range []time.Duration{2 * time.Second, 15 * time.Second, 2 * time.Minute, time.Hour, -1} {
		synctest.Test(t, func(t *testing.T) {
			srv, credential := manage(t, tokentest.Options{Life: life, Latency: 20 * time.Millisecond})
			ctx := context.WithValue(t.Context(), oauth2.HTTPClient, srv.Client())
			api := oauth2.NewClient(ctx, oauth.TokenSource(ctx, credential))
			step := max(life, time.Hour) / 500
			if life > 0 {
				step = life / 50
			}
			for i := range 500 {
				if status := get(t, api, srv.APIURL()+"/invoices"); status != 200 {
					t.Fatalf("life %v, request %d: got %d, want 200", life, i, status)
				}
				time.Sleep(step)
			}
		})
	}
}

// Why the documentation says not to put a cache around the source.
func TestReuseTokenSourceIsHarmful(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, credential := manage(t, tokentest.Options{})
		source := oauth.TokenSource(t.Context(), credential)
		bare := &http.Client{Transport: &oauth2.Transport{Source: source, Base: srv.Transport()}}
		cached := &http.Client{Transport: &oauth2.Transport{Source: oauth2.ReuseTokenSource(nil, source), Base: srv.Transport()}}
		for _, api := range []*http.Client{bare, cached} {
			if status := get(t, api, srv.APIURL()); status != 200 {
				t.Errorf("got %d, want 200", status)
			}
		}
		rejected, err := credential.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		srv.RevokeAccess()
		if _, err := credential.Renew(t.Context(), rejected); err != nil {
			t.Fatal(err)
		}
		if status := get(t, bare, srv.APIURL()); status != 200 {
			t.Errorf("without a cache: got %d, want 200", status)
		}
		if status := get(t, cached, srv.APIURL()); status != 401 {
			t.Errorf("with a cache: got %d, want 401: mend the documentation of TokenSource", status)
		}
	})
}

// Third part: code that keeps the token it was given and writes to it, while others
// do the same. Run with -race.
func TestTokenSourceGivesCopies(t *testing.T) {
	srv, credential := manage(t, tokentest.Options{})
	source := oauth.TokenSource(t.Context(), credential)
	before, err := credential.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := before.AccessToken.Reveal()
	var callers sync.WaitGroup
	for range 50 {
		callers.Go(func() {
			var kept *oauth2.Token
			for range 100 {
				token, err := source.Token()
				if err != nil || token == kept || token.AccessToken != want || !token.Valid() {
					t.Errorf("got %v, want a valid token of my own", err)
					return
				}
				kept = token
				kept.AccessToken, kept.RefreshToken, kept.TokenType = "mine", "mine", "mine"
				kept.Expiry = time.Time{}
				if extra, ok := kept.Extra("scope").(string); ok {
					t.Errorf("got the scope %q, want none", extra)
				}
			}
		})
	}
	callers.Wait()
	after, err := credential.Token(t.Context())
	if err != nil || after.AccessToken.Reveal() != want || after.Type == "mine" {
		t.Errorf("got %v, %v: the credential's token was changed", after, err)
	}
	if calls := srv.Stats().TokenCalls; calls != 1 {
		t.Errorf("got %d token calls, want 1", calls)
	}
}

// The errors of the manager come through, and with them what x/oauth2's users look for.
func TestTokenSourceErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, m := start(t, tokentest.Options{})
		user := m.Manage("user", refresherOf(srv))
		source := oauth.TokenSource(t.Context(), user)
		if _, err := source.Token(); !errors.Is(err, manager.ErrLoginRequired) {
			t.Errorf("before the login: got %v, want ErrLoginRequired", err)
		}

		login := srv.Login()
		srv.RevokeFamilies()
		if err := user.Install(t.Context(), manager.Token{RefreshToken: manager.NewSecret(login.RefreshToken)}); err != nil {
			t.Fatal(err)
		}
		_, err := source.Token()
		refresh, ok := errors.AsType[*manager.RefreshError](err)
		retrieve, ok2 := errors.AsType[*oauth2.RetrieveError](err)
		if !errors.Is(err, manager.ErrLoginRequired) || !ok || !ok2 || retrieve.ErrorCode != "invalid_grant" || refresh.Credential != "user" {
			t.Errorf("after the revocation: got %v, want invalid_grant, and ErrLoginRequired", err)
		}
	})
}

// Scenario 4: the context bounds a wait, not the refresh, and not what comes later.
func TestScenario04ContextOfTheSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, credential := manage(t, tokentest.Options{Latency: 400 * time.Millisecond})
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		defer cancel()
		begin := time.Now()
		source := oauth.TokenSource(ctx, credential)
		if _, err := source.Token(); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != 30*time.Millisecond {
			t.Errorf("got %v after %v, want the context's error after 30 ms", err, time.Since(begin))
		}
		time.Sleep(time.Second)
		if _, err := source.Token(); err != nil {
			t.Errorf("with a token at hand: %v", err)
		}
		if calls := srv.Stats().TokenCalls; calls != 1 {
			t.Errorf("got %d token calls, want the one that went on", calls)
		}
	})
}

// The key of DPoP does not leave by the bridge.
func TestTokenSourceWithoutTheKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBound(tokentest.Options{}, oauth.Key{})
		defer b.srv.Close()
		c := begin(t, manager.Config{}).Manage("user", b.refresher())
		install(t, c, b.login(t))
		token, err := oauth.TokenSource(t.Context(), c).Token()
		if err != nil || token.TokenType != "DPoP" || token.Extra("scope") != "read" || token.Extra("dpop_private_key") != nil {
			t.Errorf("got %v with a key %v, %v", token.TokenType, token.Extra("dpop_private_key") != nil, err)
		}
	})
}
