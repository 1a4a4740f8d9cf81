package contender

import (
	"context"
	"net/http"

	"github.com/gophercloud/gophercloud/v2"
)

// With UseTokenLock, which several goroutines need. It knows of no expiry: a token
// is renewed when a request met a 401, by Reauthenticate. Its best read is Token(),
// a lock and no more.
var gopherProvider = Contender{
	Name:   "gophercloud",
	About:  "gophercloud: ProviderClient with UseTokenLock, Token(), Request and Reauthenticate",
	Module: "github.com/gophercloud/gophercloud/v2",
	Cannot: map[string]string{
		"read":  "it knows of no expiry: its Token() may have expired",
		"stall": "it knows of no expiry: tokens are renewed after a 401",
	},
	Open: func(job Job) (any, error) {
		c := &gophercloud.ProviderClient{HTTPClient: http.Client{Transport: sender(func(req *http.Request) string {
			return req.Header.Get("X-Auth-Token")
		})}}
		c.UseTokenLock()
		c.ReauthFunc = func(ctx context.Context) error {
			t, err := job.Login(ctx)
			if err == nil {
				c.SetToken(t.Access)
			}
			return err
		}
		return provider{c}, nil
	},
}

type provider struct{ *gophercloud.ProviderClient }

func (p provider) Reads(ctx context.Context, n int) (string, error) {
	client := p.ProviderClient
	var token string
	for range n {
		if token = client.Token(); token == "" {
			if err := client.Reauthenticate(ctx, ""); err != nil {
				return "", err
			}
			token = client.Token()
		}
	}
	return token, nil
}

func (p provider) Request(ctx context.Context, send Send) error {
	if _, err := p.Reads(ctx, 1); err != nil {
		return err
	}
	_, err := p.ProviderClient.Request(withSend(ctx, send), http.MethodGet, nowhereURL, &gophercloud.RequestOpts{})
	return err
}
