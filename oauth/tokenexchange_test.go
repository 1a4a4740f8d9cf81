package oauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/oauth"
	"example.com/tokenactor/tokentest"
	"golang.org/x/oauth2"
)

const tokenExchange = "urn:ietf:params:oauth:grant-type:token-exchange"

func TestTokenExchange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := tokentest.New(tokentest.Options{})
		defer srv.Close()
		m := begin(t, manager.Config{})
		user := m.Manage("user", refresherOf(srv))
		login := srv.Login("read")
		install(t, user, manager.Token{RefreshToken: manager.NewSecret(login.RefreshToken)})
		c := m.Manage("downstream", oauth.TokenExchange(configOf(srv, "narrow"),
			oauth.Exchange{Subject: oauth.AccessTokenOf(user), Audience: []string{"billing", "search"}}, oauth.Options{Client: srv.Client()}))
		token, err := c.Token(t.Context())
		if err != nil || !works(t, srv, *token) || token.Scope != "narrow" {
			t.Fatalf("got %v, %v, want one that works", token, err)
		}
		if got := token.Extra["issued_token_type"].Reveal(); got != oauth.AccessTokenType {
			t.Errorf("issued_token_type: got %q", got)
		}
	})
}

func TestTokenExchangeForm(t *testing.T) {
	given := func(s string) oauth.TokenFunc {
		return func(context.Context) (manager.Secret, error) { return manager.NewSecret(s), nil }
	}
	w := answering(200, `{"access_token":"at-1","refresh_token":"at-2","token_type":"N_A"}`)
	cfg := oauth2.Config{Endpoint: oauth2.Endpoint{TokenURL: tokenURL}}
	token, err := oauth.TokenExchange(cfg, oauth.Exchange{
		Subject: given("at-s"), SubjectType: oauth.IDTokenType,
		Actor: given("at-a"), ActorType: oauth.JWTType, Requested: oauth.AccessTokenType, Audience: []string{"a", "b"},
	}, w.options()).Refresh(t.Context(), "x", manager.Token{})
	if err != nil || !token.RefreshToken.IsZero() {
		t.Fatalf("got %v, %v", token, err)
	}
	want := url.Values{"grant_type": {tokenExchange}, "subject_token": {"at-s"}, "subject_token_type": {oauth.IDTokenType},
		"actor_token": {"at-a"}, "actor_token_type": {oauth.JWTType}, "requested_token_type": {oauth.AccessTokenType}, "audience": {"a", "b"}}
	if got := w.sent[0].form; got.Encode() != want.Encode() {
		t.Errorf("sent %v, want %v", got, want)
	}
	_, err = oauth.TokenExchange(cfg, oauth.Exchange{}, w.options()).Refresh(t.Context(), "x", manager.Token{})
	checkMarks(t, err, permanent)

	// That another credential needs a login is not this one's refusal.
	other := begin(t, manager.Config{}).Manage("other", nil)
	_, err = oauth.TokenExchange(cfg, oauth.Exchange{Subject: oauth.AccessTokenOf(other)}, w.options()).Refresh(t.Context(), "x", manager.Token{})
	if err == nil || errors.Is(err, manager.ErrLoginRequired) || !strings.Contains(err.Error(), `credential "other"`) {
		t.Errorf("got %v, want an error that names the other credential and asks for no login", err)
	}
}

// Exchanges that all wait for one credential must not hold the slots that its
// refresh needs, or all of them wait for ever.
func TestTokenExchangeTakesNoSlotOfItsSubject(t *testing.T) {
	for perGroup, within := range map[int]time.Duration{
		4: 29 * time.Second, // of eight: the other group always has some
		8: 28 * time.Second, // they take all, and lend one after 5 s, in time for the other credential
	} {
		exchanges(t, perGroup, within)
	}
}

// exchanges lets 50 tenants exchange the token of one credential that has none yet.
func exchanges(t *testing.T, perGroup int, within time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		srv := tokentest.New(tokentest.Options{Latency: 800 * time.Millisecond})
		defer srv.Close()
		config := manager.Config{Refreshes: 8, PerGroup: perGroup, Policy: manager.Policy{Patience: -1}}
		happened := eventsOf(&config)
		m := begin(t, config)
		user := crawlerAt(srv, m)
		subject := func(ctx context.Context) (manager.Secret, error) {
			time.Sleep(time.Second) // until all slots that they can have are taken
			return oauth.AccessTokenOf(user)(ctx)
		}
		start := time.Now()
		var callers sync.WaitGroup
		for i := range 50 {
			c := m.Manage(fmt.Sprint("tenant ", i), oauth.TokenExchange(configOf(srv), oauth.Exchange{Subject: subject},
				oauth.Options{Client: srv.Client()}))
			callers.Go(func() {
				if _, err := c.Token(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		callers.Wait()
		if took := time.Since(start); took > within {
			t.Errorf("%d of 8 slots: took %v, want less than %v", perGroup, took, within)
		}
		if slices.ContainsFunc(happened(), func(e manager.Event) bool { return e.Kind == manager.EventRefreshFailed }) {
			t.Errorf("%d of 8 slots: some waited in vain", perGroup)
		}
	})
}

// The types of tokens are no secrets: a server that names one is quoted.
func TestDescriptionOfATokenType(t *testing.T) {
	w := answering(400, `{"error":"invalid_request","error_description":"no `+oauth.SAML2Type+` here"}`)
	subject := func(context.Context) (manager.Secret, error) { return manager.NewSecret("at-subject"), nil }
	_, err := oauth.TokenExchange(userConfig(), oauth.Exchange{Subject: subject, SubjectType: oauth.SAML2Type, ActorType: oauth.JWTType}, w.options()).
		Refresh(t.Context(), "x", manager.Token{})
	if want := `oauth: the token endpoint answered 400 invalid_request "no ` + oauth.SAML2Type + ` here"`; text(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
