package oauth

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"time"

	"example.com/tokenactor/manager"
	"golang.org/x/oauth2"
)

// JWTBearer is the grant of RFC 7523 section 2.1, that of service accounts: a signed
// JWT buys an access token. It takes at most one Options. [Key.Assertion] signs one
// for each request; a function of your own may fetch it instead.
//
// Of cfg the token endpoint and Scopes are used, and the client if there is one:
// ClientID may be empty (RFC 7521 section 4.1). An error of assertion ends the
// refresh, with whatever marks of the manager it has. A refresh token in the answer
// is dropped, as by [ClientCredentials].
//
// The Refresher may be used for any number of credentials, concurrently. It is a
// manager.Grouper: its group is the origin of cfg.Endpoint.TokenURL; and a
// manager.Asker with the client, the endpoint, and the scopes, audience and resources
// that it asks for. Its TokenRequest has no subject: who an assertion is about is not
// known before it is made. Manage two users under two names.
func JWTBearer(cfg oauth2.Config, assertion Assertion, options ...Options) manager.Refresher {
	e := newEndpoint(cfg, false, options)
	fixed := e.form("urn:ietf:params:oauth:grant-type:jwt-bearer", cfg.Scopes)
	e.reserve(fixed, "assertion")
	if assertion == nil && e.err == nil {
		e.err = errors.New("oauth: JWTBearer: there is no Assertion: a Key makes one")
	}
	return e.again(fixed, func(ctx context.Context, now time.Time) (url.Values, error) {
		jwt, err := assertion(ctx, now)
		if err != nil {
			return nil, fmt.Errorf("oauth: no assertion: %w", err)
		}
		form := maps.Clone(fixed)
		form.Set("assertion", jwt)
		return form, nil
	}, cfg.Scopes)
}
