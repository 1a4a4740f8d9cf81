package oauth

import (
	"example.com/tokenactor/manager"
	"golang.org/x/oauth2"
)

// Password is the grant of RFC 6749 section 4.3, for old servers that have no other:
// the program knows the user's password, which RFC 9700 section 2.4 forbids, and
// sends it for each token. It takes at most one Options.
//
// A refresh token in the answer is dropped, as by [ClientCredentials]: the password
// is there anyway, and needs no journal. Of cfg the client, the token endpoint and
// Scopes are used; ClientID may be empty.
//
// The Refresher may be used for any number of credentials, concurrently. It is a
// manager.Grouper: its group is the origin of cfg.Endpoint.TokenURL; and a
// manager.Asker with the client, the endpoint, the scopes, audience and resources that
// it asks for, and the user.
func Password(cfg oauth2.Config, user string, password manager.Secret, options ...Options) manager.Refresher {
	e := newEndpoint(cfg, false, options)
	form := e.form("password", cfg.Scopes)
	e.reserve(form, "username", "password")
	form.Set("username", user)
	form.Set("password", password.Reveal())
	return e.again(form, always(form), cfg.Scopes)
}
