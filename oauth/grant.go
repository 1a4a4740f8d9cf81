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
	refresh manager.RefresherFunc
}

// Refresh implements manager.Refresher.
func (g grant) Refresh(ctx context.Context, name string, prev manager.Token) (manager.Token, error) {
	return g.refresh(ctx, name, prev)
}

// Group implements manager.Grouper: the origin of the token endpoint.
func (g grant) Group() string { return g.group }

// A revocableGrant is one whose Options ask for revocation.
type revocableGrant struct {
	grant
	revoke func(ctx context.Context, t manager.Token) error
}

// Revoke implements manager.Revoker.
func (g revocableGrant) Revoke(ctx context.Context, _ string, t manager.Token) error {
	return g.revoke(ctx, t)
}

// grant makes the Refresher that asks e.
func (e *endpoint) grant(refresh manager.RefresherFunc) manager.Refresher {
	g := grant{e.group, refresh}
	if e.options.Revoke {
		return revocableGrant{g, e.revoke}
	}
	return g
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
