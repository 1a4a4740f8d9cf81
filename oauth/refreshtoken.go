package oauth

import (
	"context"
	"errors"
	"maps"

	"example.com/tokenactor/manager"
	"golang.org/x/oauth2"
)

// RefreshToken is the grant of RFC 6749 section 6: the login of a user goes on
// with the refresh token of the token before. It takes at most one Options.
//
// The first token comes from a login, such as [CodeLogin] or [DeviceLogin]: give it
// to Credential.Install. Without a refresh token a refresh sends nothing and answers
// manager.LoginRequired. What an answer leaves out stays as it was: the refresh
// token and the scope, which the manager sees to, and the fields of Token.Extra,
// for an instance URL is often told at the login only.
//
// Of cfg the client and the token endpoint are used. Scopes are not: they were
// granted at the login, and a refresh that names none keeps them. AuthStyle zero
// is no detection; see the package comment.
//
// The Refresher may be used for any number of credentials, concurrently. It is a
// manager.Grouper: its group is the origin of cfg.Endpoint.TokenURL; and a
// manager.Asker with the client and the endpoint. Its TokenRequest has no scopes, since
// none are sent, unless Options.Params name some.
func RefreshToken(cfg oauth2.Config, options ...Options) manager.Refresher {
	e := newEndpoint(cfg, true, options)
	fixed := e.form("refresh_token", nil)
	e.reserve(fixed, "refresh_token")
	return e.grant(fixed, func(ctx context.Context, _ string, prev manager.Token) (manager.Token, error) {
		// Before the question of a login: a refusal is stored, a wrong
		// configuration must not become one.
		if e.err != nil {
			return manager.Token{}, manager.Permanent(e.err)
		}
		if prev.RefreshToken.IsZero() {
			return manager.Token{}, manager.LoginRequired(errors.New(
				"oauth: there is no refresh token: Install the token of a login that has one"))
		}
		form := maps.Clone(fixed)
		form.Set("refresh_token", prev.RefreshToken.Reveal())
		t, err := e.call(ctx, always(form), prev)
		if err != nil || len(prev.Extra) == 0 {
			return t, err
		}
		extra := maps.Clone(prev.Extra)
		maps.Copy(extra, t.Extra)
		t.Extra = extra
		return t, nil
	})
}
