package oauth

import (
	"context"
	"net/url"
	"strings"

	"example.com/tokenactor/manager"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// ClientCredentials is the grant of RFC 6749 section 4.4: the client acts for
// itself. It takes at most one Options.
//
// Of cfg everything is used as x/oauth2 does, EndpointParams too, except that
// AuthStyle zero is no detection; see the package comment. The granted scope is
// that of the answer, or cfg.Scopes where the answer has none (section 5.1). A
// refresh token in the answer is dropped (section 4.4.3: there should be none):
// the next token is asked for with the secret again, and a refresh token that
// nobody will send needs no journal.
//
// The Refresher may be used for any number of credentials, concurrently. It is a
// manager.Grouper: its group is the origin of cfg.TokenURL; and a manager.Asker with
// the client, the endpoint, and the scopes, audience and resources that it asks for.
func ClientCredentials(cfg clientcredentials.Config, options ...Options) manager.Refresher {
	e := newEndpoint(oauth2.Config{
		ClientID:     cfg.ClientID,
		ClientSecret: cfg.ClientSecret,
		Endpoint:     oauth2.Endpoint{TokenURL: cfg.TokenURL, AuthStyle: cfg.AuthStyle},
	}, true, options)
	form := e.form("client_credentials", cfg.Scopes)
	e.add(form, "EndpointParams", cfg.EndpointParams)
	return e.again(form, always(form), cfg.Scopes)
}

// again makes the Refresher of a grant that asks anew each time. The refresh token
// of an answer is dropped: what bought the first token buys the next. fixed is what is
// in the form of each request.
func (e *endpoint) again(fixed url.Values, req request, scopes []string) manager.Refresher {
	asked := strings.Join(scopes, " ")
	return e.grant(fixed, func(ctx context.Context, _ string, prev manager.Token) (manager.Token, error) {
		t, err := e.call(ctx, req, prev)
		if err != nil {
			return manager.Token{}, err
		}
		t.RefreshToken, t.RefreshExpiresIn = manager.Secret{}, 0
		if t.Scope == "" {
			t.Scope = asked
		}
		return t, nil
	})
}
