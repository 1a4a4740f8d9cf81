package oauth

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"golang.org/x/oauth2"
)

// A clientAuth puts what authenticates the client into a token request: into its
// header or its form.
type clientAuth func(header http.Header, form url.Values)

// secretAuth authenticates by a client secret (RFC 6749 section 2.3.1), or only
// names a client that has none (section 3.2.1).
func secretAuth(id, secret string, style oauth2.AuthStyle) (clientAuth, error) {
	if id == "" {
		return nil, errors.New("oauth: the configuration has no ClientID")
	}
	if style == oauth2.AuthStyleAutoDetect {
		style = oauth2.AuthStyleInHeader
		if secret == "" {
			style = oauth2.AuthStyleInParams
		}
	}
	switch style {
	case oauth2.AuthStyleInHeader:
		// Form-encoded first, as the RFC wants: a colon in the id would
		// otherwise move the border between id and secret.
		r := http.Request{Header: make(http.Header)}
		r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret))
		basic := r.Header.Get("Authorization")
		return func(header http.Header, _ url.Values) { header.Set("Authorization", basic) }, nil
	case oauth2.AuthStyleInParams:
		return func(_ http.Header, form url.Values) {
			form.Set("client_id", id)
			if secret != "" {
				form.Set("client_secret", secret)
			}
		}, nil
	}
	return nil, fmt.Errorf("oauth: AuthStyle %d is unknown: use AuthStyleInHeader, AuthStyleInParams or zero", style)
}
