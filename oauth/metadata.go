package oauth

import (
	"slices"

	"golang.org/x/oauth2"
)

// Metadata is what an issuer says of itself (RFC 8414 section 2). An endpoint that
// it does not name is "".
type Metadata struct {
	Issuer    string
	Endpoint  oauth2.Endpoint
	RevokeURL string

	challenges []string
	names      bool              // it names itself in each authorization response (RFC 9207)
	tls        map[string]string // mtls_endpoint_aliases
}

// endpoint is that of a kind. For a client that authenticates by TLS the server may
// have another one (RFC 8705 section 5).
func (m Metadata) endpoint(kind string, tls bool) string {
	of := map[string]struct{ url, name string }{
		tokenEndpoint:  {m.Endpoint.TokenURL, "token_endpoint"},
		authEndpoint:   {m.Endpoint.AuthURL, ""}, // the browser goes there
		deviceEndpoint: {m.Endpoint.DeviceAuthURL, "device_authorization_endpoint"},
		revokeEndpoint: {m.RevokeURL, "revocation_endpoint"},
	}[kind]
	if alias := m.tls[of.name]; tls && alias != "" {
		return alias
	}
	return of.url
}

// refusesS256 reports whether the server lists its methods of PKCE, and S256 is not
// among them.
func (m Metadata) refusesS256() bool {
	return len(m.challenges) > 0 && !slices.Contains(m.challenges, "S256")
}
