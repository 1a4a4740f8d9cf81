package oauth_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenactor/client"
	"example.com/tokenactor/manager"
	"example.com/tokenactor/oauth"
	"example.com/tokenactor/persist"
	"example.com/tokenactor/persist/record"
	"example.com/tokenactor/tokentest"
	"golang.org/x/oauth2"
)

var _ client.Observer = (*oauth.DPoP)(nil)

// A bound is a server whose tokens are bound, a login there, and an API client.
type bound struct {
	srv  *tokentest.Server
	dpop *oauth.DPoP
	cfg  oauth2.Config
}

func newBound(options tokentest.Options, key oauth.Key) *bound {
	options.DPoP = true
	b := &bound{srv: tokentest.New(options), dpop: oauth.NewDPoP(key)}
	b.cfg = configOf(b.srv, "read")
	if options.Public {
		b.cfg.ClientSecret = ""
	}
	return b
}

func (b *bound) options() oauth.Options { return oauth.Options{Client: b.srv.Client(), DPoP: b.dpop} }

func (b *bound) refresher() manager.Refresher { return oauth.RefreshToken(b.cfg, b.options()) }

// login logs in on another device, whose user says yes at once.
func (b *bound) login(t *testing.T) manager.Token {
	t.Helper()
	token, err := oauth.DeviceLogin(t.Context(), b.cfg, func(_ context.Context, code oauth.DeviceCode) error {
		b.srv.Decide(code.UserCode, "")
		return nil
	}, b.options())
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func (b *bound) api(c *manager.Credential) *http.Client {
	return &http.Client{Transport: &client.Transport{Source: c, Base: b.srv.Transport(), Place: b.dpop}}
}

// RFC 9449 from the login on: every request proves the key, nonces are learned from
// every answer, and none of it costs a refresh.
func TestDPoP(t *testing.T) {
	for _, algorithm := range []string{"", "ES256", "EdDSA"} {
		for _, nonces := range []bool{false, true} {
			for _, public := range []bool{false, true} {
				synctest.Test(t, func(t *testing.T) {
					var key oauth.Key
					if algorithm != "" {
						key = keyOf(t, algorithm)
					}
					b := newBound(tokentest.Options{Nonces: nonces, Public: public}, key)
					defer b.srv.Close()
					c := begin(t, manager.Config{}).Manage("user", b.refresher())
					install(t, c, b.login(t))
					api := b.api(c)
					for range 5 {
						if status := get(t, api, b.srv.APIURL()+"/a%20path?q=1"); status != 200 {
							t.Fatalf("%q, nonces %v, public %v: status %d", algorithm, nonces, public, status)
						}
					}
					stats := b.srv.Stats()
					if want := int64(5 + btoi(nonces)); stats.APICalls != want || stats.Refreshes != 0 {
						t.Errorf("nonces %v: got %d requests and %d refreshes for 5 calls, want %d and none", nonces, stats.APICalls, stats.Refreshes, want)
					}
					before, err := c.Token(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					b.srv.NewNonces()
					after, err := c.Renew(t.Context(), before)
					if err != nil || after.Type != "DPoP" {
						t.Fatalf("got %v, %v, want a token of type DPoP", after, err)
					}
					if status := get(t, api, b.srv.APIURL()); status != 200 {
						t.Errorf("after the refresh: status %d", status)
					}
					if stats := b.srv.Stats(); stats.Refreshes != 1 || stats.Reuses != 0 {
						t.Errorf("got %+v, want one refresh and no reuse", stats)
					}
					if key := after.Extra["dpop_private_key"]; key.IsZero() != (algorithm != "") || !key.Equal(before.Extra["dpop_private_key"]) {
						t.Errorf("%q: the token carries a key: %v, before: %v", algorithm, !key.IsZero(), !before.Extra["dpop_private_key"].IsZero())
					}
				})
			}
		}
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// A hundred goroutines, and nonces that change all the time: no refresh, and each
// request is sent twice at most.
func TestDPoPNoncesUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBound(tokentest.Options{Nonces: true, APILatency: 10 * time.Millisecond}, oauth.Key{})
		defer b.srv.Close()
		c := begin(t, manager.Config{}).Manage("user", b.refresher())
		install(t, c, b.login(t))
		api := b.api(c)
		var callers sync.WaitGroup
		for range 100 {
			callers.Go(func() {
				for range 5 {
					resp, err := api.Get(b.srv.APIURL())
					if err != nil {
						t.Error(err)
						return
					}
					resp.Body.Close()
					time.Sleep(5 * time.Millisecond)
				}
			})
		}
		time.Sleep(25 * time.Millisecond)
		b.srv.NewNonces()
		callers.Wait()
		if stats := b.srv.Stats(); stats.Accepted < 400 || stats.APICalls > 1000 || stats.Refreshes > 0 {
			t.Errorf("got %+v, want nearly all of 500 accepted within 1,000 sends, and no refresh", stats)
		}
	})
}

// The nonce is asked for when a refresh token is in the request: it is sent again at
// once, since the server says that it did not get that far, and it is not spent twice.
func TestDPoPNonceAtTheTokenEndpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBound(tokentest.Options{Nonces: true}, oauth.Key{})
		defer b.srv.Close()
		prev := b.login(t)
		for range 3 {
			b.srv.NewNonces()
			calls := b.srv.Stats().TokenCalls
			next, err := b.refresher().Refresh(t.Context(), "user", prev)
			if err != nil {
				t.Fatal(err)
			}
			if got := b.srv.Stats().TokenCalls - calls; got != 2 {
				t.Errorf("got %d token requests, want two", got)
			}
			prev = next
		}
		if stats := b.srv.Stats(); stats.Reuses != 0 || stats.Refreshes != 3 {
			t.Errorf("got %+v", stats)
		}
	})
	// One that asks for ever gets two, and the refresh token is known to be good.
	w := answering(400, `{"error":"use_dpop_nonce"}`, "DPoP-Nonce", "n1")
	options := w.options()
	options.DPoP = oauth.NewDPoP(oauth.Key{})
	prev := manager.Token{RefreshToken: manager.NewSecret(refreshToken)}
	_, err := oauth.RefreshToken(userConfig(), options).Refresh(t.Context(), "x", prev)
	checkMarks(t, err, declined)
	if len(w.sent) != 2 {
		t.Errorf("sent %d times, want twice", len(w.sent))
	}
	// And so does one that has another nonce each time.
	w = &wire{}
	w.answer = func(*http.Request) (*http.Response, error) {
		return response(400, `{"error":"use_dpop_nonce"}`, "DPoP-Nonce", fmt.Sprint("n", len(w.sent))), nil
	}
	options.Client = w.options().Client
	options.DPoP = oauth.NewDPoP(oauth.Key{})
	_, err = oauth.RefreshToken(userConfig(), options).Refresh(t.Context(), "x", prev)
	checkMarks(t, err, declined)
	if len(w.sent) != 2 {
		t.Errorf("sent %d times, want twice", len(w.sent))
	}
	if _, claims := readJWS(t, w.sent[1].header.Get("DPoP")); claims["nonce"] != "n1" {
		t.Errorf("the second proof has the nonce %v, want n1", claims["nonce"])
	}
	// Without a nonce to be had there is nothing to try again with.
	w = answering(400, `{"error":"use_dpop_nonce"}`)
	options.Client = w.options().Client
	options.DPoP = oauth.NewDPoP(oauth.Key{})
	_, err = oauth.RefreshToken(userConfig(), options).Refresh(t.Context(), "x", prev)
	checkMarks(t, err, declined)
	if len(w.sent) != 1 {
		t.Errorf("sent %d times, want once", len(w.sent))
	}
}

// The key survives a restart in a sealed file, and a refresh token that is bound to
// it works afterwards; without it the login is lost.
func TestDPoPKeySurvives(t *testing.T) {
	b := newBound(tokentest.Options{Public: true, Life: time.Hour}, oauth.Key{})
	defer b.srv.Close()
	first, err := oauth.CodeLogin(t.Context(), b.cfg, browser(b.srv), b.options())
	if err != nil {
		t.Fatal(err)
	}
	file, sealing := filepath.Join(t.TempDir(), "tokens.db"), record.RandomKey()
	run := func(first *manager.Token) *manager.Token {
		db, err := persist.Open(file, persist.Options{Key: sealing})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		m, err := manager.New(manager.Config{Store: db})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		b.dpop = oauth.NewDPoP(oauth.Key{}) // nothing of the process before is known
		c := m.Manage("user", b.refresher())
		if first != nil {
			install(t, c, *first)
		}
		token, err := c.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		token, err = c.Renew(t.Context(), token)
		if err != nil {
			t.Fatal(err)
		}
		if status := get(t, b.api(c), b.srv.APIURL()); status != 200 {
			t.Errorf("status %d", status)
		}
		return token
	}
	run(&first)
	last := run(nil)

	stored, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(stored, []byte(last.Extra["dpop_private_key"].Reveal())) {
		t.Error("the key is in the file, and not sealed")
	}
	bare := *last
	bare.Extra = nil
	_, err = b.refresher().Refresh(t.Context(), "user", bare)
	if !errors.Is(err, manager.ErrLoginRequired) {
		t.Errorf("with another key: got %v, want ErrLoginRequired", err)
	}
}

// A key that an answer brings along is not taken for ours.
func TestDPoPKeyOfTheServer(t *testing.T) {
	token, err := spend(t, answering(200, `{"access_token":"at-1","dpop_private_key":"at-known-to-others"}`))
	if err != nil || len(token.Extra) > 0 {
		t.Errorf("got %v, %v, want a token without a key", token.Extra, err)
	}
}

// A server that knows no DPoP gives bearer tokens, and they go as such.
func TestDPoPUnknownToTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := tokentest.New(tokentest.Options{})
		defer srv.Close()
		dpop := oauth.NewDPoP(oauth.Key{})
		c := begin(t, manager.Config{}).Manage("user", oauth.RefreshToken(configOf(srv), oauth.Options{Client: srv.Client(), DPoP: dpop}))
		install(t, c, manager.Token{RefreshToken: manager.NewSecret(srv.Login().RefreshToken)})
		api := &http.Client{Transport: &client.Transport{Source: c, Base: srv.Transport(), Place: dpop}}
		if status := get(t, api, srv.APIURL()); status != 200 {
			t.Errorf("status %d", status)
		}
	})
}
