package oauth

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"example.com/tokenactor/manager"
)

// revoke ends a login (RFC 7009): first the refresh token, with which most servers
// end the access tokens too, then the access token, for those that do not.
func (e *endpoint) revoke(ctx context.Context, t manager.Token) error {
	if e.err != nil {
		return e.err
	}
	target, err := e.locate(ctx, revokeEndpoint)
	if err != nil {
		return err
	}
	var errs []error
	for _, one := range []struct {
		token manager.Secret
		hint  string
	}{{t.RefreshToken, "refresh_token"}, {t.AccessToken, "access_token"}} {
		expired := one.hint == "access_token" && !t.Expiry.IsZero() && t.Expiry.Before(time.Now())
		if one.token.IsZero() || expired {
			continue
		}
		err := e.revokeOne(ctx, target, one.token, one.hint)
		if e, ok := errors.AsType[*Error](err); ok && e.Code == "unsupported_token_type" && len(errs) > 0 {
			continue // of an access token (section 2.2.1): it ends by itself
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (e *endpoint) revokeOne(ctx context.Context, target *url.URL, token manager.Secret, hint string) error {
	r, err := e.post(ctx, target, make(http.Header), url.Values{"token": {token.Reveal()}, "token_type_hint": {hint}}, e.drift.read())
	if err != nil {
		return bare(err)
	}
	if success(r.status) {
		return nil // also for a token that the server does not know (section 2.2)
	}
	_, refusal := r.fields(revokeEndpoint, "error")
	return refusal
}
