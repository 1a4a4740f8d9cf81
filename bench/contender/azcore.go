package contender

import (
	"context"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
)

// The policy in the shortest pipeline there is: no telemetry, no retries, which
// would only add to it. OnChallenge authorizes anew after any 401, not only after
// one of Azure's own. RefreshOn tells it when to renew early, in the request that
// comes next and at most every 30 s. It has no call for a token alone: where others
// are read, a request is sent that goes nowhere.
var azurePolicy = Contender{
	Name:   "azcore",
	About:  "azcore: BearerTokenPolicy in a pipeline without telemetry and retries, OnChallenge set",
	Module: "github.com/Azure/azure-sdk-for-go/sdk/azcore",
	Cannot: map[string]string{
		"read": "it has no call for a token alone",
		"keys": "its policy belongs to a pipeline: no token without a request",
	},
	Open: func(job Job) (any, error) {
		a := &azure{job: job, policy: runtime.NewBearerTokenPolicy(azureLogin(job), nil, &policy.BearerTokenOptions{
			AuthorizationHandler: policy.AuthorizationHandler{
				OnChallenge: func(_ *policy.Request, _ *http.Response, authorize func(policy.TokenRequestOptions) error) error {
					return authorize(policy.TokenRequestOptions{})
				},
			},
			InsecureAllowCredentialWithHTTP: true, // crawl is on loopback
		})}
		a.nowhere = a.pipeline(sender(func(req *http.Request) string {
			return strings.TrimPrefix(req.Header.Get("Authorization"), "Bearer ")
		}))
		return a, nil
	},
}

// azureLogin is an azcore.TokenCredential.
type azureLogin Job

func (l azureLogin) GetToken(ctx context.Context, _ policy.TokenRequestOptions) (azcore.AccessToken, error) {
	t, err := l.Login(ctx)
	early := max(l.Window, l.Skew)
	return azcore.AccessToken{Token: t.Access, ExpiresOn: t.Expiry.Add(-l.Skew), RefreshOn: t.Expiry.Add(-early)}, err
}

type azure struct {
	job     Job
	policy  policy.Policy
	nowhere runtime.Pipeline // for requests that play with a Send
}

// do makes any RoundTripper the transport of a pipeline.
type do struct{ http.RoundTripper }

func (d do) Do(req *http.Request) (*http.Response, error) { return d.RoundTrip(req) }

func (a *azure) pipeline(base http.RoundTripper) runtime.Pipeline {
	options := &policy.ClientOptions{Transport: do{base}}
	options.Telemetry.Disabled = true
	options.Retry.MaxRetries = -1
	return runtime.NewPipeline("bench", "v0", runtime.PipelineOptions{PerRetry: []policy.Policy{a.policy}}, options)
}

// Transport is none that others may use: like authorize it changes the request.
func (a *azure) Transport(base http.RoundTripper) (http.RoundTripper, error) {
	pipeline := a.pipeline(base)
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		r, err := runtime.NewRequestFromRequest(req)
		if err != nil {
			return nil, err
		}
		return pipeline.Do(r)
	}), nil
}

func (a *azure) Reads(ctx context.Context, n int) (access string, err error) {
	for range n {
		if err = a.Request(ctx, func(got string) bool { access = got; return true }); err != nil {
			return "", err
		}
	}
	return access, nil
}

func (a *azure) Request(ctx context.Context, send Send) error {
	req, err := runtime.NewRequest(withSend(ctx, send), http.MethodGet, nowhereURL)
	if err != nil {
		return err
	}
	resp, err := a.nowhere.Do(req)
	if err == nil && resp.StatusCode == http.StatusUnauthorized {
		err = errRejected
	}
	return err
}
