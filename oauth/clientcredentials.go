package oauth

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"example.com/tokenactor/manager"
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
// manager.Grouper: its group is the origin of cfg.TokenURL.
func ClientCredentials(cfg clientcredentials.Config, options ...Options) manager.Refresher {
	e := newEndpoint(cfg.TokenURL, cfg.ClientID, cfg.ClientSecret, cfg.AuthStyle, options)
	scope := strings.Join(cfg.Scopes, " ")
	form := url.Values{"grant_type": {"client_credentials"}}
	if scope != "" {
		form.Set("scope", scope)
	}
	for name, values := range cfg.EndpointParams {
		// Servers that call this grant something else are served, as they are by x/oauth2.
		if form.Has(name) && name != "grant_type" {
			e.err = fmt.Errorf("oauth: EndpointParams has %q, which the grant sets itself", name)
		}
		form[name] = slices.Clone(values)
	}
	return grant{e.origin, func(ctx context.Context, _ string, _ manager.Token) (manager.Token, error) {
		t, err := e.call(ctx, form)
		if err != nil {
			return manager.Token{}, err
		}
		t.RefreshToken = manager.Secret{}
		if t.Scope == "" {
			t.Scope = scope
		}
		return t, nil
	}}
}
