package oauth

import (
	"net"
	"net/http"
	"net/url"
	"time"
)

// Options are what a grant has besides the configuration of x/oauth2. The zero
// value is the default named at each field.
type Options struct {
	// Client sends the token requests. Its CheckRedirect is not asked: the
	// rules of the package comment hold. The client that x/oauth2 finds in a
	// context under oauth2.HTTPClient is not used, since the context of a
	// refresh is the manager's. A Transport that repeats requests by itself
	// spends refresh tokens twice. Nil: one that all grants without a Client
	// share, with the proxies of the environment; connections that were idle
	// for 30 s are closed.
	Client *http.Client

	// AllowHTTP lets the token endpoint be one of http on another machine, and an
	// issuer of https name endpoints of http. Whoever sees such a request has the
	// secrets. False: https only, or http to this machine where the configuration
	// itself names it.
	AllowHTTP bool

	// Auth authenticates the client. Zero: the ClientSecret of the
	// configuration does, in its AuthStyle.
	Auth ClientAuth

	// Issuer is the authorization server by its name: it is asked for the
	// endpoints that the configuration leaves empty. Nil: none is left empty.
	Issuer *Issuer

	// Resources are the APIs that the tokens are for (RFC 8707), each an
	// absolute URI: the parameter resource, once for each. Nil: not said.
	Resources []string

	// Params are sent with each token request besides, and with the request
	// that begins a login. Those that the grant sets itself are an error, but
	// for grant_type.
	Params url.Values

	// DPoP binds the tokens to a key (RFC 9449). Give the same one to
	// client.Transport.Place. Nil: bearer tokens.
	DPoP *DPoP

	// Revoke lets Credential.Forget end the login at the server too (RFC 7009),
	// at RevokeURL; "": where Issuer says.
	Revoke    bool
	RevokeURL string
}

// sharedClient is one for all, because a Refresher each for a hundred thousand
// tenants must not mean as many connection pools. It has no time limit of its own,
// which could only cut Policy.Limit short; http.DefaultTransport is not used
// since programs change it for purposes of theirs.
var sharedClient = &http.Client{Transport: &http.Transport{
	Proxy:                  http.ProxyFromEnvironment,
	DialContext:            (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
	TLSHandshakeTimeout:    10 * time.Second,
	ForceAttemptHTTP2:      true,
	MaxIdleConnsPerHost:    16, // the manager's default for refreshes of one group
	IdleConnTimeout:        30 * time.Second,
	MaxResponseHeaderBytes: 64 << 10,
}}

// client is the one to send with. It hands redirects to its caller.
func (o Options) client() *http.Client {
	c := *sharedClient
	if o.Client != nil {
		c = *o.Client
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
}
