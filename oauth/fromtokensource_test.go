package oauth_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/oauth"
	"golang.org/x/oauth2"
)

// A mint is an oauth2.TokenSource that fetches.
type mint struct {
	life  time.Duration
	calls int
	err   error
	token *oauth2.Token // not nil: always this one
}

func (m *mint) Token() (*oauth2.Token, error) {
	m.calls++
	if m.token != nil || m.err != nil {
		return m.token, m.err
	}
	return &oauth2.Token{AccessToken: fmt.Sprintf("at-%d", m.calls), TokenType: "Bearer", RefreshToken: "at-refresh",
		Expiry: time.Now().Add(m.life)}, nil
}

func TestFromTokenSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source := &mint{life: time.Hour}
		c := begin(t, manager.Config{}).Manage("x", oauth.FromTokenSource(source))
		for range 200 {
			token, err := c.Token(t.Context())
			if err != nil || time.Until(token.Expiry) <= 0 || !token.RefreshToken.IsZero() {
				t.Fatalf("got %v, %v", token, err)
			}
			time.Sleep(3 * time.Minute)
		}
		if source.calls < 10 || source.calls > 12 {
			t.Errorf("%d tokens fetched in 10 h of one-hour tokens", source.calls)
		}
	})
}

// One that keeps its tokens is found out, and said so; it works again when its own
// cache has ended.
func TestFromTokenSourceThatKeeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := begin(t, manager.Config{}).Manage("x", oauth.FromTokenSource(oauth2.ReuseTokenSource(nil, &mint{life: time.Hour})))
		token, err := c.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Renew(t.Context(), token); err == nil || !strings.Contains(err.Error(), "returned the token that is to be replaced: it keeps tokens itself") {
			t.Errorf("got %v, want to be told why", err)
		}
		time.Sleep(90 * time.Minute)
		if next, err := c.Token(t.Context()); err != nil || next.AccessToken.Equal(token.AccessToken) {
			t.Errorf("got %v, %v, want the next token", next, err)
		}
	})
}

func TestFromTokenSourceErrors(t *testing.T) {
	secretBody := &oauth2.RetrieveError{Response: &http.Response{StatusCode: 400, Header: http.Header{"Retry-After": {"7"}}},
		Body: []byte("at-in-the-body"), ErrorCode: "invalid_grant"}
	overload := &oauth2.RetrieveError{Response: &http.Response{StatusCode: 429, Header: http.Header{"Retry-After": {"7"}}}, Body: []byte("at-in-the-body")}
	other := errors.New("no metadata server")
	for _, test := range []struct {
		source oauth2.TokenSource
		want   string
		marks  marking
	}{
		{nil, "oauth: FromTokenSource: the source is nil", permanent},
		{&mint{err: secretBody}, "oauth: the token endpoint answered 400 invalid_grant", permanent},
		{&mint{err: fmt.Errorf("wrapped: %w", overload)}, "oauth: the token endpoint answered 429", after(7*time.Second, declined)},
		{&mint{err: &oauth2.RetrieveError{}}, "oauth: the token endpoint answered", unmarked},
		{&mint{err: other}, "no metadata server", unmarked},
		{&mint{token: &oauth2.Token{}}, "oauth: the TokenSource returned neither a token nor an error", unmarked},
	} {
		_, err := oauth.FromTokenSource(test.source).Refresh(t.Context(), "x", manager.Token{})
		checkMarks(t, err, test.marks)
		if text(err) != test.want {
			t.Errorf("got %v, want %s", err, test.want)
		}
		checkSecrets(t, err)
	}
}

func TestFromToken(t *testing.T) {
	expiry := time.Now().Add(time.Hour)
	old := (&oauth2.Token{AccessToken: "at-1", TokenType: "bearer", RefreshToken: refreshToken, Expiry: expiry}).
		WithExtra(map[string]any{"scope": "read", "id_token": "e.y.J", "n": 7})
	got := oauth.FromToken(old)
	if !got.Expiry.Equal(expiry) {
		t.Errorf("expiry: got %v, want %v", got.Expiry, expiry)
	}
	got.Expiry = time.Time{}
	if want := "at-1 type=bearer refresh=" + refreshToken + " scope=read +id_token=e.y.J"; describe(got) != want {
		t.Errorf("got %s, want %s", describe(got), want)
	}
}
