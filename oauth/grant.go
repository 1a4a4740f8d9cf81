package oauth

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"example.com/tokenactor/manager"
)

// A grant is what every constructor returns. All it knows is inside functions,
// where no way of printing a Refresher finds it.
type grant struct {
	group   string
	asks    func() manager.TokenRequest
	refresh manager.RefresherFunc
}

// Refresh implements manager.Refresher.
func (g grant) Refresh(ctx context.Context, name string, prev manager.Token) (manager.Token, error) {
	return g.refresh(ctx, name, prev)
}

// Group implements manager.Grouper: the origin of the token endpoint.
func (g grant) Group() string { return g.group }

// TokenRequest implements manager.Asker.
func (g grant) TokenRequest() manager.TokenRequest { return g.asks() }

// A revocableGrant is one whose Options ask for revocation.
type revocableGrant struct {
	grant
	revoke func(ctx context.Context, t manager.Token) error
}

// Revoke implements manager.Revoker.
func (g revocableGrant) Revoke(ctx context.Context, _ string, t manager.Token) error {
	return g.revoke(ctx, t)
}

// grant makes the Refresher that asks e. fixed is what is in the form of each of its
// requests.
func (e *endpoint) grant(fixed url.Values, refresh manager.RefresherFunc) manager.Refresher {
	asks := e.asks(fixed)
	g := grant{e.group, func() manager.TokenRequest { return asks }, refresh}
	if e.options.Revoke {
		return revocableGrant{g, e.revoke}
	}
	return g
}

// asks is who asks with a form, and what for. What the form holds besides is no part of
// it: it may be a secret.
func (e *endpoint) asks(form url.Values) manager.TokenRequest {
	asks := manager.TokenRequest{
		Client:    e.id,
		Scopes:    strings.Fields(strings.Join(form["scope"], " ")),
		Audience:  slices.Clone(form["audience"]),
		Resources: slices.Clone(form["resource"]),
		Subject:   form.Get("username"),
	}
	if u, err := url.Parse(e.urls[tokenEndpoint]); err == nil && u.Host != "" {
		u = withoutQuery(u)
		asks.Endpoint = origin(u) + u.EscapedPath()
	} else if e.options.Issuer != nil {
		asks.Endpoint = e.options.Issuer.url
	}
	return asks
}

// A request is the form of a token request, made anew for each sending. now is the
// time by the server's clock.
type request func(ctx context.Context, now time.Time) (url.Values, error)

// always is the request that has the same form each time.
func always(form url.Values) request {
	return func(context.Context, time.Time) (url.Values, error) { return form, nil }
}

// form begins a form with what the Options want in each.
func (e *endpoint) form(grantType string, scopes []string) url.Values {
	form := url.Values{"grant_type": {grantType}}
	if len(scopes) > 0 {
		form.Set("scope", strings.Join(scopes, " "))
	}
	e.add(form, "Options.Params", e.options.Params)
	if len(e.options.Resources) > 0 {
		form["resource"] = slices.Clone(e.options.Resources)
	}
	return form
}

// reserve keeps parameters for the grant to set later.
func (e *endpoint) reserve(form url.Values, names ...string) {
	for _, name := range names {
		if form.Has(name) && e.err == nil {
			e.err = fmt.Errorf("oauth: Options.Params has %q, which the grant sets itself", name)
		}
	}
}

// add puts a user's own parameters into form. Servers that call a grant something
// else are served, as they are by x/oauth2.
func (e *endpoint) add(form url.Values, whose string, params url.Values) {
	for name, values := range params {
		if form.Has(name) && name != "grant_type" && e.err == nil {
			e.err = fmt.Errorf("oauth: %s has %q, which the grant sets itself", whose, name)
		}
		form[name] = slices.Clone(values)
	}
}
