package contender

import (
	"cmp"
	"context"

	"github.com/aws/smithy-go/auth/bearer"
)

// The reader refreshes, and the others wait: RefreshBeforeExpires is the skew.
var smithyCache = Contender{
	Name:   "smithy",
	About:  "smithy-go: bearer.TokenCache, RetrieveBearerToken(ctx), DisableAsyncRefresh",
	Module: "github.com/aws/smithy-go",
	Open: func(job Job) (any, error) {
		return tokenCache{bearer.NewTokenCache(bearerLogin(job.Login), func(o *bearer.TokenCacheOptions) {
			o.RefreshBeforeExpires = job.Skew
			o.DisableAsyncRefresh = true
		})}, nil
	},
}

// RefreshBeforeExpires is when the refresh in the background begins; the token is
// used until it expires.
var smithyAsync = Contender{
	Name:   "smithy-async",
	About:  "as smithy, refreshed in the background",
	Module: "github.com/aws/smithy-go",
	Open: func(job Job) (any, error) {
		return tokenCache{bearer.NewTokenCache(bearerLogin(job.Login), func(o *bearer.TokenCacheOptions) {
			o.RefreshBeforeExpires = cmp.Or(job.Window, job.Skew)
		})}, nil
	},
}

func bearerLogin(login Login) bearer.TokenProvider {
	return bearer.TokenProviderFunc(func(ctx context.Context) (bearer.Token, error) {
		t, err := login(ctx)
		return bearer.Token{Value: t.Access, CanExpire: true, Expires: t.Expiry}, err
	})
}

type tokenCache struct{ *bearer.TokenCache }

func (c tokenCache) Reads(ctx context.Context, n int) (string, error) {
	cache := c.TokenCache
	var token bearer.Token
	for range n {
		var err error
		if token, err = cache.RetrieveBearerToken(ctx); err != nil {
			return "", err
		}
	}
	return token.Value, nil
}
