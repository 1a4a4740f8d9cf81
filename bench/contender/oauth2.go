package contender

import (
	"context"
	"net/http"

	"golang.org/x/oauth2"
)

// ReuseTokenSource is what Config.TokenSource and clientcredentials give out as
// well; 10 s of skew are its own default, others are had WithExpiry.
var xoauth2 = Contender{
	Name:   "oauth2",
	About:  "x/oauth2: ReuseTokenSource, Token(); oauth2.Transport",
	Module: "golang.org/x/oauth2",
	Open:   func(job Job) (any, error) { return reuse(nil, job), nil },
}

// reuse gives a source that begins with t.
func reuse(t *oauth2.Token, job Job) tokenSource {
	return tokenSource{oauth2.ReuseTokenSourceWithExpiry(t, loginSource(job.Login), job.Skew)}
}

// loginSource drops the context, for which oauth2.TokenSource has no place.
type loginSource Login

func (l loginSource) Token() (*oauth2.Token, error) {
	t, err := l(context.Background())
	return &oauth2.Token{AccessToken: t.Access, Expiry: t.Expiry}, err
}

type tokenSource struct{ oauth2.TokenSource }

func (s tokenSource) Reads(_ context.Context, n int) (string, error) {
	source := s.TokenSource
	var token *oauth2.Token
	for range n {
		var err error
		if token, err = source.Token(); err != nil {
			return "", err
		}
	}
	return token.AccessToken, nil
}

func (s tokenSource) Transport(base http.RoundTripper) (http.RoundTripper, error) {
	return &oauth2.Transport{Source: s.TokenSource, Base: base}, nil
}
