package oauth_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/oauth"
	"example.com/tokenactor/tokentest"
	"golang.org/x/oauth2/clientcredentials"
)

// A session is a user's login at a server, managed.
type session struct {
	srv        *tokentest.Server
	credential *manager.Credential
	events     func() []manager.Event
}

func newSession(t *testing.T, options tokentest.Options) session {
	t.Helper()
	s := session{srv: tokentest.New(options)}
	t.Cleanup(func() { s.srv.Close() })
	config := manager.Config{}
	s.events = eventsOf(&config)
	s.credential = begin(t, config).Manage("user", refresherOf(s.srv))
	install(t, s.credential, manager.Token{RefreshToken: manager.NewSecret(s.srv.Login().RefreshToken)})
	if _, err := s.credential.Token(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// Invariants 7 and 9, scenario 12 from the wire to the caller: the server has spent
// the refresh token and the answer is lost, or says something else. Nothing is sent
// before the quiet time has passed, one guarded try brings the verdict, and then callers
// are told what happened. Without an answer that try waits until the access token is no
// longer usable; after one it comes at once when the quiet time is over, since it mostly
// heals, and here ends the access token as well.
func TestScenario12LostLogin(t *testing.T) {
	for name, test := range map[string]struct {
		fault    tokentest.Fault
		answered bool
	}{
		"reset":   {tokentest.Lost(), false},
		"late":    {tokentest.Late(time.Minute), false},
		"garbage": {tokentest.Garbage(), true},
		"gateway": {tokentest.Spent(tokentest.Status(502)), true},
		"page":    {tokentest.Spent(tokentest.HTML(200)), true},
	} {
		inBubble(t, name, func(t *testing.T) {
			s := newSession(t, tokentest.Options{Life: time.Hour})
			before := s.srv.Stats().TokenCalls
			s.srv.Next(test.fault)
			time.Sleep(58 * time.Minute) // the renewal is over, the token is good still
			n := s.srv.Stats().TokenCalls - before
			if !test.answered {
				if token, err := s.credential.Token(t.Context()); err != nil || !works(t, s.srv, *token) {
					t.Errorf("while the token is good: %v, %v", token, err)
				}
				if n != 1 {
					t.Errorf("%d token requests before the guarded try, want one", n)
				}
			} else if n != 2 {
				t.Errorf("%d token requests while the token is good, want the first and the guarded try", n)
			}
			time.Sleep(10 * time.Minute)
			_, err := s.credential.Token(t.Context())
			refused, ok := errors.AsType[*manager.RefreshError](err)
			if !ok || !refused.Lost || !errors.Is(err, manager.ErrLoginRequired) {
				t.Errorf("got %v, want a lost login", err)
			}
			time.Sleep(24 * time.Hour)
			if stats := s.srv.Stats(); stats.TokenCalls-before != 2 || stats.Reuses != 1 {
				t.Errorf("got %+v, want one guarded try in all", stats)
			}
		})
	}
}

// The same, but the server never saw the request, or did not act on it: the login
// lives.
func TestScenario12LoginSurvives(t *testing.T) {
	for name, fault := range map[string]tokentest.Fault{
		"not sent": tokentest.NotSent(),
		"gateway":  tokentest.Status(502),
		"hung":     tokentest.Hang(nil),
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newSession(t, tokentest.Options{Life: time.Hour})
			s.srv.Next(fault)
			time.Sleep(2 * time.Hour)
			token, err := s.credential.Token(t.Context())
			if err != nil || !works(t, s.srv, *token) {
				t.Errorf("%s: got %v, %v", name, token, err)
			}
			if stats := s.srv.Stats(); stats.Reuses != 0 {
				t.Errorf("%s: got %+v, want no reuse", name, stats)
			}
		})
	}
}

// Invariant 7, scenario 19 from the wire to the caller: an endpoint in trouble costs
// neither the tokens nor a good access token, is asked ever more seldom, and not
// before the time that it names.
func TestScenario19EndpointInTrouble(t *testing.T) {
	for name, test := range map[string]struct {
		fault tokentest.Fault
		most  int64 // requests in the 4 minutes before expiry
	}{
		"503":            {tokentest.Status(503), 20}, // may have been acted on: guarded tries after the quiet time, with back-off
		"429":            {tokentest.TooMany(2 * time.Minute), 3},
		"HTML":           {tokentest.HTML(200), 20},
		"HTML 400":       {tokentest.HTML(400), 20},
		"empty":          {tokentest.Answer(200, "", ""), 20},
		"reset":          {tokentest.Lost(), 1},
		"not sent":       {tokentest.NotSent(), 20},
		"invalid_client": {tokentest.Refuse("invalid_client"), 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newSession(t, tokentest.Options{Life: time.Hour, NoRotation: true})
			s.srv.Always(test.fault)
			before := s.srv.Stats().TokenCalls
			for range 59 {
				time.Sleep(time.Minute)
				if token, err := s.credential.Token(t.Context()); err != nil || !works(t, s.srv, *token) {
					t.Fatalf("%s: a good token is not served: %v, %v", name, token, err)
				}
			}
			calls := s.srv.Stats().TokenCalls - before
			if unsent := name == "not sent"; calls > test.most || calls == 0 && !unsent {
				t.Errorf("%s: %d token requests, want 1 to %d", name, calls, test.most)
			}
			s.srv.Heal()
			time.Sleep(20 * time.Minute)
			if token, err := s.credential.Token(t.Context()); err != nil || !works(t, s.srv, *token) {
				t.Errorf("%s: after the trouble: %v, %v", name, token, err)
			}
		})
	}
}

// Scenario 22 from the wire to the caller: whatever expires_in says, there is never
// more than one refresh per life, and no loop.
func TestScenario22OneRefreshPerLife(t *testing.T) {
	for _, test := range []struct {
		says      any
		life      time.Duration // the truth
		min, most int64         // requests in 10 h
	}{
		{nil, time.Hour, 10, 12},
		{tokentest.Omit, time.Hour, 1, 1},
		{"3600", time.Hour, 10, 12},
		{30, 30 * time.Second, 1200, 1800},
		{315360000, time.Hour, 1, 1},
		{1e300, time.Hour, 1, 1},
		{"soon", time.Hour, 1, 1},
		// Without an end: beside no refresh token 0 cannot mean that the token is over.
		{0, time.Hour, 1, 1},
		{"0", time.Hour, 1, 1},
		{-5, time.Hour, 1, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			srv := tokentest.New(tokentest.Options{Life: test.life, ExpiresIn: test.says})
			defer srv.Close()
			c := begin(t, manager.Config{}).Manage("crawler", oauth.ClientCredentials(clientcredentials.Config{
				ClientID: srv.ClientID(), ClientSecret: srv.ClientSecret(), TokenURL: srv.TokenURL()}, oauth.Options{Client: srv.Client()}))
			for range 1200 {
				_, _ = c.Token(t.Context())
				time.Sleep(30 * time.Second)
			}
			if calls := srv.Stats().TokenCalls; calls < test.min || calls > test.most {
				t.Errorf("expires_in %v: %d token requests in 10 h, want %d to %d", test.says, calls, test.min, test.most)
			}
		})
	}
}

// What the server says of a refresh token's life becomes a warning in its last tenth,
// and Status says when it dies. A login makes it quiet again.
func TestDyingRefreshToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSession(t, tokentest.Options{Life: 20 * time.Hour, RefreshLife: 10 * time.Hour})
		start := time.Now()
		if got := s.credential.Status().RefreshExpiry; got.Sub(start).Abs() > time.Second {
			if !got.Equal(start.Add(10 * time.Hour)) {
				t.Errorf("Status: the refresh token dies at %v, want %v", got, start.Add(10*time.Hour))
			}
		}
		dying := func() bool {
			return slices.ContainsFunc(s.events(), func(e manager.Event) bool { return e.Kind == manager.EventDying })
		}
		time.Sleep(9*time.Hour - time.Minute)
		if dying() {
			t.Error("warned before the last tenth")
		}
		time.Sleep(2 * time.Minute)
		if !dying() {
			t.Error("not warned in the last tenth")
		}
	})
}

// An answer that leaves a field out leaves it as it was: an instance URL is told at
// the login only.
func TestExtraIsCarriedOver(t *testing.T) {
	w := answering(200, `{"access_token":"at-2","user":"u2"}`)
	prev := manager.Token{RefreshToken: manager.NewSecret(refreshToken), Extra: map[string]manager.Secret{
		"instance_url": manager.NewSecret("https://eu7.example.com"), "user": manager.NewSecret("u1")}}
	got, err := oauth.RefreshToken(userConfig(), w.options()).Refresh(t.Context(), "user", prev)
	if err != nil {
		t.Fatal(err)
	}
	if want := "at-2 +instance_url=https://eu7.example.com +user=u2"; describe(got) != want || prev.Extra["user"].Reveal() != "u1" {
		t.Errorf("got %s, want %s; before: %v", describe(got), want, prev.Extra["user"].Reveal())
	}
	got, err = oauth.ClientCredentials(clientConfig(), w.options()).Refresh(t.Context(), "x", prev)
	if want := "at-2 +user=u2"; err != nil || describe(got) != want {
		t.Errorf("a grant that begins anew: got %s, %v, want %s", describe(got), err, want)
	}
}

// The date of a refresh token's end is the server's: its own Date says what it means.
func TestDatesByTheServersClock(t *testing.T) {
	date := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	body := fmt.Sprintf(`{"access_token":"A","scope":"s","expires_at":%d,"refresh_expires_at":%q}`,
		date.Add(time.Hour).Unix(), date.Add(24*time.Hour).Format(time.RFC3339))
	token, err := spend(t, answering(200, body, "Date", date.Format("Mon, 02 Jan 2006 15:04:05 GMT")))
	if err != nil || token.ExpiresIn != time.Hour || token.RefreshExpiresIn != 24*time.Hour {
		t.Errorf("got lives of %v and %v, %v, want an hour and a day", token.ExpiresIn, token.RefreshExpiresIn, err)
	}
}
