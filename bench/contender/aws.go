package contender

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// An expiry window of 10 s, no jitter: reads do not depend on either. The token
// is the session token, beside keys that the cache insists on.
var awsCache = Contender{
	Name:   "aws",
	About:  "aws-sdk-go-v2: CredentialsCache.Retrieve(ctx), ExpiryWindow 10 s",
	Module: "github.com/aws/aws-sdk-go-v2",
	Open: func(login Login) (any, error) {
		provider := func(ctx context.Context) (aws.Credentials, error) {
			t, err := login(ctx)
			return aws.Credentials{
				AccessKeyID:     "bench",
				SecretAccessKey: "bench",
				SessionToken:    t.Access,
				CanExpire:       true,
				Expires:         t.Expiry,
			}, err
		}
		cache := aws.NewCredentialsCache(aws.CredentialsProviderFunc(provider), func(o *aws.CredentialsCacheOptions) {
			o.ExpiryWindow = skew
		})
		return &credentialsCache{cache}, nil
	},
}

type credentialsCache struct{ *aws.CredentialsCache }

func (c *credentialsCache) Reads(ctx context.Context, n int) (string, error) {
	cache := c.CredentialsCache
	var credentials aws.Credentials
	for range n {
		var err error
		if credentials, err = cache.Retrieve(ctx); err != nil {
			return "", err
		}
	}
	return credentials.SessionToken, nil
}
