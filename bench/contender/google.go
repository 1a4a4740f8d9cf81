package contender

import (
	"context"
	"net/http"

	"cloud.google.com/go/auth"
	"cloud.google.com/go/auth/httptransport"
)

// Refreshes in the background, its default. ExpireEarly is when a token is no
// longer used; as with the others it is 10 s and not 3:45 min. Requests go through
// AddAuthorizationMiddleware and not NewClient, which traces each of them as well.
var google = Contender{
	Name:   "google",
	About:  "cloud.google.com/go/auth: cached Token(ctx), ExpireEarly 10 s; AddAuthorizationMiddleware",
	Module: "cloud.google.com/go/auth",
	Open: func(login Login) (any, error) {
		provider := auth.NewCachedTokenProvider(loginProvider(login), &auth.CachedTokenProviderOptions{ExpireEarly: skew})
		return &googleCredentials{auth.NewCredentials(&auth.CredentialsOptions{TokenProvider: provider})}, nil
	},
}

type loginProvider Login

func (l loginProvider) Token(ctx context.Context) (*auth.Token, error) {
	t, err := l(ctx)
	return &auth.Token{Value: t.Access, Expiry: t.Expiry}, err
}

type googleCredentials struct{ *auth.Credentials }

func (g *googleCredentials) Reads(ctx context.Context, n int) (string, error) {
	provider := g.TokenProvider
	var token *auth.Token
	for range n {
		var err error
		if token, err = provider.Token(ctx); err != nil {
			return "", err
		}
	}
	return token.Value, nil
}

func (g *googleCredentials) Transport(base http.RoundTripper) (http.RoundTripper, error) {
	c := &http.Client{Transport: base}
	err := httptransport.AddAuthorizationMiddleware(c, g.Credentials)
	return c.Transport, err
}
