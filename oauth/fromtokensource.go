package oauth

import (
	"context"
	"errors"
	"net/url"
	"time"

	"example.com/tokenactor/manager"
	"golang.org/x/oauth2"
)

// FromToken makes a token of x/oauth2 one for Credential.Install, with its refresh
// token, its scope and its id_token; of Extra it does not tell the other names. Its
// TokenType stays as it is: it may be one that the program has set.
func FromToken(t *oauth2.Token) manager.Token {
	next := manager.Token{
		AccessToken:  manager.NewSecret(t.AccessToken),
		RefreshToken: manager.NewSecret(t.RefreshToken),
		Type:         t.TokenType,
		Expiry:       t.Expiry.Round(0), // it is stored: no monotonic reading
	}
	next.Scope, _ = t.Extra("scope").(string)
	if id, _ := t.Extra("id_token").(string); id != "" {
		next.Extra = map[string]manager.Secret{"id_token": manager.NewSecret(id)}
	}
	return next
}

// FromTokenSource makes a Refresher of any oauth2.TokenSource: one that fetches a
// token at each call. One that keeps tokens, as oauth2.ReuseTokenSource and what most
// constructors of x/oauth2 return, gives the very token that is to be replaced, which
// is an error here; of a clientcredentials.Config cfg, a source that fetches is a
// function around cfg.Token(ctx).
//
// A source that spends a refresh token spends it out of the manager's sight: no mark
// is stored before and no new one after, and a crash between them ends the login. Use
// [RefreshToken] for that. The refresh token of the answer is dropped.
//
// An oauth2.TokenSource knows no context: one that hangs holds its refresh until it
// returns, which the manager reports as EventHung. An *oauth2.RetrieveError becomes
// an [*Error], without the body.
func FromTokenSource(source oauth2.TokenSource) manager.Refresher {
	// No grant, which is an Asker: what the source asks for is not known.
	return manager.RefresherFunc(func(_ context.Context, _ string, prev manager.Token) (manager.Token, error) {
		if source == nil {
			return manager.Token{}, manager.Permanent(errors.New("oauth: FromTokenSource: the source is nil"))
		}
		t, err := source.Token()
		if err != nil {
			return manager.Token{}, retrieveError(err)
		}
		if t == nil || t.AccessToken == "" {
			return manager.Token{}, errors.New("oauth: the TokenSource returned neither a token nor an error")
		}
		next := FromToken(t)
		next.RefreshToken = manager.Secret{}
		if next.AccessToken.Equal(prev.AccessToken) {
			return manager.Token{}, errKept
		}
		return next, nil
	})
}

var errKept = errors.New("oauth: the TokenSource returned the token that is to be replaced: it keeps tokens itself. " +
	"Give FromTokenSource one that fetches at each call, without oauth2.ReuseTokenSource around it")

// retrieveError takes the body out of an error of x/oauth2, which prints it.
func retrieveError(err error) error {
	r, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok {
		// Of a malformed answer net/http quotes what may be a token.
		if u, ok := errors.AsType[*url.Error](err); ok {
			return newCallError("the token endpoint", u, nil)
		}
		return err
	}
	e := &Error{where: tokenEndpoint, class: manager.ClassUnknown}
	known, of := knownCode(r.ErrorCode)
	f := finding{code: r.ErrorCode, shown: true}
	if f.code != "" {
		e.say(known, f, r.ErrorDescription, nil)
	}
	var wait time.Duration
	if r.Response != nil {
		e.Status = r.Response.StatusCode
		e.class = classify(e.Status, false, false, f, known, of)
		wait = retryAfter(r.Response.Header, time.Now())
	}
	return e.mark(false, wait)
}
