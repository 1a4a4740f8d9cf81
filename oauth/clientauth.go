package oauth

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/oauth2"
)

// A ClientAuth is how a client proves who it is, where that is not its secret. The
// zero ClientAuth is the secret, or the mere name, of the configuration: see the
// package comment. Make another with [PrivateKeyJWT] or [TLSClientAuth].
type ClientAuth struct {
	make func(id string) clientAuth
	tls  bool
	err  error // what is wrong with it
}

// String names nothing but the method.
func (a ClientAuth) String() string {
	switch {
	case a.make == nil:
		return "by the configuration"
	case a.tls:
		return "tls_client_auth"
	}
	return "private_key_jwt"
}

// PrivateKeyJWT authenticates by an assertion that key signs (RFC 7523 section
// 2.2, OpenID Connect Core section 9). It says audience; "" says the issuer where
// Options.Issuer is set, and else the URL of the token endpoint without its query, at
// the other endpoints too. ClientSecret is not used. An error of the key's
// crypto.Signer is NotSent: a signer that is elsewhere may answer the next time.
func PrivateKeyJWT(key Key, audience string) ClientAuth {
	var err error
	if key.IsZero() {
		err = errZeroKey
	}
	return ClientAuth{err: err, make: func(id string) clientAuth {
		return func(_ http.Header, form url.Values, at occasion) error {
			claims := Claims{Issuer: id, Subject: id, Audience: audience}
			if audience == "" {
				claims.Audience = at.audience
			}
			assertion, err := key.Sign(claims, at.now)
			if err != nil {
				return err
			}
			form.Set("client_id", id)
			form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
			form.Set("client_assertion", assertion)
			return nil
		}
	}}
}

// TLSClientAuth authenticates by the certificate that Options.Client shows to the
// server (RFC 8705 section 2): set it in that client's TLSClientConfig. Without a
// Client the configuration is wrong. The request has the client_id in its form. Of a
// discovered server the endpoints of mtls_endpoint_aliases are used (section 5), but
// for the one that a browser opens.
func TLSClientAuth() ClientAuth {
	return ClientAuth{tls: true, make: func(id string) clientAuth { return named(id) }}
}

// A clientAuth puts what authenticates the client into a request: into its header
// or its form.
type clientAuth func(header http.Header, form url.Values, at occasion) error

// An occasion is what a clientAuth may know of the request.
type occasion struct {
	now      time.Time // by the server's clock
	audience string
}

// named only says who the client is (RFC 6749 section 3.2.1); "": nobody known.
func named(id string) clientAuth {
	return func(_ http.Header, form url.Values, _ occasion) error {
		if id != "" {
			form.Set("client_id", id)
		}
		return nil
	}
}

// authentication is what cfg and options say about the client. Grants that bring
// an assertion of their own need no client (RFC 7521 section 4.1).
func authentication(cfg oauth2.Config, a ClientAuth, required bool) (clientAuth, error) {
	switch {
	case cfg.ClientID == "" && (required || a.make != nil):
		return nil, errors.New("oauth: the configuration has no ClientID")
	case a.make != nil:
		return a.make(cfg.ClientID), a.err
	case cfg.ClientID == "":
		return named(""), nil
	}
	return secretAuth(cfg.ClientID, cfg.ClientSecret, cfg.Endpoint.AuthStyle)
}

// secretAuth authenticates by a client secret (RFC 6749 section 2.3.1), or only
// names a client that has none (section 3.2.1).
func secretAuth(id, secret string, style oauth2.AuthStyle) (clientAuth, error) {
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
		return func(header http.Header, _ url.Values, _ occasion) error {
			header.Set("Authorization", basic)
			return nil
		}, nil
	case oauth2.AuthStyleInParams:
		name := named(id)
		return func(header http.Header, form url.Values, at occasion) error {
			if secret != "" {
				form.Set("client_secret", secret)
			}
			return name(header, form, at)
		}, nil
	}
	return nil, fmt.Errorf("oauth: AuthStyle %d is unknown: use AuthStyleInHeader, AuthStyleInParams or zero", style)
}
