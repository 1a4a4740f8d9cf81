package contender

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// The expiry window is the skew, without jitter: a read does not depend on it. The
// token is the session token, beside keys that the cache insists on. After a 401 it
// is at its best when Invalidate is called only if the rejected token is still the
// current one; nothing in the cache asks that.
var awsCache = Contender{
	Name:   "aws",
	About:  "aws-sdk-go-v2: CredentialsCache.Retrieve(ctx); Invalidate if the rejected token is still the current one",
	Module: "github.com/aws/aws-sdk-go-v2",
	Open: func(job Job) (any, error) {
		provider := func(ctx context.Context) (aws.Credentials, error) {
			t, err := job.Login(ctx)
			return aws.Credentials{
				AccessKeyID:     "bench",
				SecretAccessKey: "bench",
				SessionToken:    t.Access,
				CanExpire:       true,
				Expires:         t.Expiry,
			}, err
		}
		cache := aws.NewCredentialsCache(aws.CredentialsProviderFunc(provider), func(o *aws.CredentialsCacheOptions) {
			o.ExpiryWindow = job.Skew
		})
		return credentialsCache{cache}, nil
	},
}

type credentialsCache struct{ *aws.CredentialsCache }

func (c credentialsCache) Reads(ctx context.Context, n int) (string, error) {
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

func (c credentialsCache) Request(ctx context.Context, send Send) error {
	rejected, err := c.Retrieve(ctx)
	if err != nil || send(rejected.SessionToken) {
		return err
	}
	credentials, err := c.Retrieve(ctx)
	if err == nil && credentials.SessionToken == rejected.SessionToken {
		c.Invalidate()
		credentials, err = c.Retrieve(ctx)
	}
	if err == nil && !send(credentials.SessionToken) {
		err = errRejected
	}
	return err
}
