package contender

import (
	"cmp"
	"context"
	"net/http"

	"cloud.google.com/go/auth"
	"cloud.google.com/go/auth/httptransport"
)

// Refreshes in the background, its default. ExpireEarly is when that begins; the
// token is used until it expires. Requests go through AddAuthorizationMiddleware
// and not NewClient, which traces each of them as well.
var google = Contender{
	Name:   "google",
	About:  "cloud.google.com/go/auth: cached Token(ctx), refreshed in the background; AddAuthorizationMiddleware",
	Module: "cloud.google.com/go/auth",
	Open: func(job Job) (any, error) {
		return googleCached(job, auth.CachedTokenProviderOptions{ExpireEarly: cmp.Or(job.Window, job.Skew)}), nil
	},
}

// The first reader after ExpireEarly refreshes, and the others wait.
var googleBlocking = Contender{
	Name:   "google-blocking",
	About:  "as google, with DisableAsyncRefresh: the reader refreshes",
	Module: "cloud.google.com/go/auth",
	Open: func(job Job) (any, error) {
		return googleCached(job, auth.CachedTokenProviderOptions{ExpireEarly: job.Skew, DisableAsyncRefresh: true}), nil
	},
}

func googleCached(job Job, options auth.CachedTokenProviderOptions) googleCredentials {
	provider := auth.NewCachedTokenProvider(loginProvider(job.Login), &options)
	return googleCredentials{auth.NewCredentials(&auth.CredentialsOptions{TokenProvider: provider})}
}

type loginProvider Login

func (l loginProvider) Token(ctx context.Context) (*auth.Token, error) {
	t, err := l(ctx)
	return &auth.Token{Value: t.Access, Expiry: t.Expiry}, err
}

type googleCredentials struct{ *auth.Credentials }

func (g googleCredentials) Reads(ctx context.Context, n int) (string, error) {
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

func (g googleCredentials) Transport(base http.RoundTripper) (http.RoundTripper, error) {
	c := &http.Client{Transport: base}
	err := httptransport.AddAuthorizationMiddleware(c, g.Credentials)
	return c.Transport, err
}
