package oauth

import (
	"context"
	"time"

	"example.com/tokenactor/manager"
	"golang.org/x/oauth2"
)

// TokenSource hands the tokens of a credential to code that wants an
// oauth2.TokenSource, such as oauth2.Transport. It may be used concurrently.
//
// Every call gives a copy, for its caller to keep and to change. A token that is
// at hand costs no wait. ctx bounds the wait of every call that finds none, not the
// refresh, which others share: give it the life of the program, not that of a
// request. The errors are those of Credential.Token.
//
// The copy has no refresh token, since x/oauth2 would spend it. Its Expiry says
// when to ask again: it is the token's own, except that
//
//   - where less than 11 s are left, it is put off so that Valid holds, which takes
//     10 s off, until nine tenths of the time left are over;
//   - where the life is unknown, it is one minute away, since x/oauth2 would keep
//     the token for ever.
//
// Its Extra has the strings of manager.Token.Extra, and the scope; not the key of
// DPoP. A token that is bound to a key is of no use to x/oauth2, which proves none.
//
// Do not put oauth2.ReuseTokenSource around it, which oauth2.NewClient does by
// itself: a token that was rejected and renewed is sent on until its expiry. The
// manager is the cache. Use client.New(credential), which also renews on a 401, or
// &http.Client{Transport: &oauth2.Transport{Source: source}}.
func TokenSource(ctx context.Context, credential *manager.Credential) oauth2.TokenSource {
	return sourceFunc(func() (*oauth2.Token, error) {
		t, err := credential.Token(ctx)
		if err != nil {
			return nil, err
		}
		return export(t, time.Now()), nil
	})
}

// A sourceFunc is an oauth2.TokenSource.
type sourceFunc func() (*oauth2.Token, error)

func (f sourceFunc) Token() (*oauth2.Token, error) { return f() }

const (
	expiryDelta = 10 * time.Second // what x/oauth2 takes off an Expiry
	askAgain    = time.Minute      // for a token of unknown life
)

// export copies t for code that may write to it.
func export(t *manager.Token, now time.Time) *oauth2.Token {
	copied := &oauth2.Token{
		AccessToken: t.AccessToken.Reveal(),
		TokenType:   t.Type,
		Expiry:      askAt(t.Expiry, now),
	}
	if len(t.Extra) == 0 && t.Scope == "" {
		return copied
	}
	extra := make(map[string]any, len(t.Extra)+1)
	for name, value := range t.Extra {
		if name != keyField {
			extra[name] = value.Reveal()
		}
	}
	if t.Scope != "" {
		extra["scope"] = t.Scope
	}
	return copied.WithExtra(extra)
}

// askAt turns an expiry into the Expiry for x/oauth2. A token that the manager
// shows is usable, whatever the wall clock says of it: where that calls it expired
// the expiry stays, so that whoever keeps the token asks again at once.
func askAt(expiry, now time.Time) time.Time {
	if expiry.IsZero() {
		return now.Add(askAgain)
	}
	left := expiry.Sub(now)
	if left <= 0 || left > expiryDelta+time.Second {
		return expiry
	}
	return now.Add(expiryDelta + left*9/10)
}
