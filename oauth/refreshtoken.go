package oauth

import (
	"context"
	"errors"
	"net/url"

	"example.com/tokenactor/manager"
	"golang.org/x/oauth2"
)

// RefreshToken is the grant of RFC 6749 section 6: the login of a user goes on
// with the refresh token of the token before. It takes at most one Options.
//
// The first token comes from a login: give it to Credential.Install. Without a
// refresh token a refresh sends nothing and answers manager.LoginRequired. What an
// answer leaves out, the refresh token or the scope, stays as it was: the manager
// sees to that.
//
// Of cfg the client and the token endpoint are used. Scopes are not: they were
// granted at the login, and a refresh that names none keeps them. AuthStyle zero
// is no detection; see the package comment.
//
// The Refresher may be used for any number of credentials, concurrently. It is a
// manager.Grouper: its group is the origin of cfg.Endpoint.TokenURL.
func RefreshToken(cfg oauth2.Config, options ...Options) manager.Refresher {
	e := newEndpoint(cfg.Endpoint.TokenURL, cfg.ClientID, cfg.ClientSecret, cfg.Endpoint.AuthStyle, options)
	return grant{e.origin, func(ctx context.Context, _ string, prev manager.Token) (manager.Token, error) {
		// Before the question of a login: a refusal is stored, a wrong
		// configuration must not become one.
		if e.err != nil {
			return manager.Token{}, manager.Permanent(e.err)
		}
		if prev.RefreshToken.IsZero() {
			return manager.Token{}, manager.LoginRequired(errors.New(
				"oauth: there is no refresh token: Install the token of a login that has one"))
		}
		return e.call(ctx, url.Values{
			"grant_type":    {"refresh_token"},
			"refresh_token": {prev.RefreshToken.Reveal()},
		})
	}}
}
