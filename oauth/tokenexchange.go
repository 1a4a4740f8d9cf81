package oauth

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"time"

	"example.com/tokenactor/manager"
	"golang.org/x/oauth2"
)

// The types of tokens of RFC 8693 section 3.
const (
	AccessTokenType  = "urn:ietf:params:oauth:token-type:access_token"
	RefreshTokenType = "urn:ietf:params:oauth:token-type:refresh_token"
	IDTokenType      = "urn:ietf:params:oauth:token-type:id_token"
	JWTType          = "urn:ietf:params:oauth:token-type:jwt"
	SAML2Type        = "urn:ietf:params:oauth:token-type:saml2"
)

// An Exchange says which token is exchanged for what (RFC 8693 section 2.1).
type Exchange struct {
	// Subject gives the token of the party on whose behalf the request is
	// made: [AccessTokenOf] another credential, or what a file says at the
	// moment. It is called for each request, by several goroutines at once.
	// Required.
	Subject TokenFunc

	// SubjectType is what Subject gives. "": AccessTokenType.
	SubjectType string

	// Actor gives the token of the party that acts, ActorType is its type.
	// Nil: nobody is said to. "": AccessTokenType.
	Actor     TokenFunc
	ActorType string

	// Requested is the type of the token wanted. "": the server decides.
	Requested string

	// Audience are the names of the services that the token is for, once each.
	// Where they are URIs use Options.Resources.
	Audience []string
}

// A TokenFunc gives a token for a token request.
type TokenFunc func(ctx context.Context) (manager.Secret, error)

// TokenExchange is the grant of RFC 8693. It takes at most one Options.
//
// Of cfg the token endpoint and Scopes are used, and the client if there is one:
// ClientID may be empty. An error of Subject or Actor ends the refresh, with
// whatever marks of the manager it has. A refresh token in the answer is dropped:
// Subject buys the next token. issued_token_type is in Token.Extra.
//
// The Refresher may be used for any number of credentials, concurrently. It is a
// manager.Grouper: its group is the origin of cfg.Endpoint.TokenURL and the words
// "token exchange", for a refresh that waits for another credential must not hold
// the slot which that needs; and a manager.Asker with the client, the endpoint, and the
// scopes, audience and resources that it asks for. Its TokenRequest has no subject,
// which a function returns: manage two subjects under two names.
func TokenExchange(cfg oauth2.Config, exchange Exchange, options ...Options) manager.Refresher {
	e := newEndpoint(cfg, false, options)
	e.group += " token exchange"
	fixed := e.form("urn:ietf:params:oauth:grant-type:token-exchange", cfg.Scopes)
	e.reserve(fixed, "subject_token", "subject_token_type", "actor_token", "actor_token_type", "requested_token_type")
	if len(exchange.Audience) > 0 {
		e.reserve(fixed, "audience")
		fixed["audience"] = slices.Clone(exchange.Audience)
	}
	if exchange.Requested != "" {
		fixed.Set("requested_token_type", exchange.Requested)
	}
	if exchange.Subject == nil && e.err == nil {
		e.err = errors.New("oauth: Exchange.Subject is nil: it gives the token that is exchanged")
	}
	return e.again(fixed, func(ctx context.Context, _ time.Time) (url.Values, error) {
		form := maps.Clone(fixed)
		if err := party(ctx, form, "subject", exchange.Subject, exchange.SubjectType); err != nil {
			return nil, err
		}
		if exchange.Actor == nil {
			return form, nil
		}
		return form, party(ctx, form, "actor", exchange.Actor, exchange.ActorType)
	}, cfg.Scopes)
}

// party puts the token of subject or actor into the form.
func party(ctx context.Context, form url.Values, who string, token TokenFunc, kind string) error {
	t, err := token(ctx)
	if err != nil {
		return fmt.Errorf("oauth: no %s token: %w", who, err)
	}
	if kind == "" {
		kind = AccessTokenType
	}
	form.Set(who+"_token", t.Reveal())
	form.Set(who+"_token_type", kind)
	return nil
}

// subjectWait is how long a refresh waits for the token of another credential. The
// other one may wait for a slot, and this refresh holds one.
const subjectWait = 5 * time.Second

// AccessTokenOf gives the access token of a credential, for [Exchange]. It waits
// for one at most 5 s: the refresh then fails, is tried again with back-off, and
// the other credential goes on meanwhile.
func AccessTokenOf(c *manager.Credential) TokenFunc {
	return func(ctx context.Context) (manager.Secret, error) {
		ctx, cancel := context.WithTimeout(ctx, subjectWait)
		defer cancel()
		t, err := c.Token(ctx)
		if err != nil {
			return manager.Secret{}, subjectError{c.Name(), err}
		}
		return t.AccessToken, nil
	}
}

// A subjectError is that of another credential. It unwraps to nothing: that the
// other one needs a login does not mean that this one does.
type subjectError struct {
	name string
	err  error
}

func (e subjectError) Error() string { return fmt.Sprintf("credential %q: %v", e.name, e.err) }
