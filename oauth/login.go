package oauth

import (
	"context"
	"net/url"
	"time"

	"example.com/tokenactor/manager"
)

// login asks for the first token of a login. It comes without marks on its error,
// and ready for Credential.Install, which counts lives from its own call on.
func (e *endpoint) login(ctx context.Context, form url.Values, prev manager.Token, scope string) (manager.Token, error) {
	start := time.Now()
	t, err := e.call(ctx, always(form), prev)
	if err != nil {
		return manager.Token{}, bare(err)
	}
	if t.Scope == "" {
		t.Scope = scope // RFC 6749 section 5.1
	}
	passed := time.Since(start)
	for _, life := range []*time.Duration{&t.ExpiresIn, &t.RefreshIn, &t.RefreshExpiresIn} {
		if *life > passed {
			*life -= passed
		}
	}
	return t, nil
}

// bind gives what the token of a login that is to come carries from its beginning:
// with DPoP a key.
func (e *endpoint) bind() (manager.Token, *prover, error) {
	var t manager.Token
	p, err := e.options.DPoP.prover(t)
	if err == nil {
		p.keep(&t)
	}
	return t, p, err
}
