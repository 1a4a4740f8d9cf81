package oauth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"example.com/tokenactor/manager"
	"golang.org/x/oauth2"
)

// CodeLogin lets a user log in with a browser on this machine, by the authorization
// code grant with PKCE (RFC 6749 section 4.1, RFC 7636, RFC 8252), and returns the
// token, which is for Credential.Install. It takes at most one Options.
// [RefreshToken] with the same configuration keeps the login going.
//
// open is given the address at which the user logs in: it starts a browser, or shows
// it. Meanwhile a listener on 127.0.0.1 awaits the redirect, on a port that the system
// gives, and is closed before CodeLogin returns. Of cfg the client, Scopes,
// Endpoint.AuthURL and TokenURL are used, and RedirectURL: "" means
// "http://127.0.0.1/callback", to which the port is added (RFC 8252 section 7.3); one
// with a port is listened to at that port. It must be of http, on 127.0.0.1, [::1] or
// localhost.
//
// The redirect counts only with the state of this login. Its iss, where it has one,
// must be that of Options.Issuer, and must be there if the issuer says so (RFC 9207).
// Anything else that comes to the listener is answered with an error page. PKCE is
// always S256. Options.Params go into the address that the user opens.
//
// ctx bounds the whole, the user included: give it a time limit. Errors: ErrDenied;
// another *Error; that of open; context.Cause(ctx).
func CodeLogin(ctx context.Context, cfg oauth2.Config, open func(ctx context.Context, url string) error, options ...Options) (manager.Token, error) {
	e := newEndpoint(cfg, true, options)
	asked := e.form("", cfg.Scopes)
	asked.Del("grant_type")
	e.reserve(asked, "response_type", "client_id", "redirect_uri", "state", "code_challenge", "code_challenge_method")
	if e.err != nil {
		return manager.Token{}, e.err
	}
	authorize, err := e.locate(ctx, authEndpoint)
	if err != nil {
		return manager.Token{}, err
	}
	expected, err := e.expect(ctx)
	if err != nil {
		return manager.Token{}, err
	}
	key, prover, err := e.bind()
	if err != nil {
		return manager.Token{}, err
	}
	l, err := listenForRedirect(cfg.RedirectURL, expected)
	if err != nil {
		return manager.Token{}, err
	}
	defer l.close()

	verifier := rand.Text() + rand.Text() // 52 characters of 5 bits (RFC 7636 section 4.1)
	challenge := sha256.Sum256([]byte(verifier))
	asked.Set("response_type", "code")
	asked.Set("client_id", cfg.ClientID)
	asked.Set("redirect_uri", l.url)
	asked.Set("state", expected.state)
	asked.Set("code_challenge", encode(challenge[:]))
	asked.Set("code_challenge_method", "S256")
	if prover != nil {
		asked.Set("dpop_jkt", prover.key.signer().thumbprint()) // RFC 9449 section 10
	}
	if err := open(ctx, withQuery(authorize, asked)); err != nil {
		return manager.Token{}, fmt.Errorf("oauth: the address of the login could not be opened: %w", err)
	}
	code, err := l.wait(ctx)
	if err != nil {
		return manager.Token{}, err
	}
	form := url.Values{
		"grant_type":    {"authorization_code"},
		"code":          {code},
		"redirect_uri":  {l.url},
		"code_verifier": {verifier},
	}
	if len(e.options.Resources) > 0 {
		form["resource"] = e.options.Resources
	}
	return e.login(ctx, form, key, strings.Join(cfg.Scopes, " "))
}

// An expectation is what a redirect must say to count.
type expectation struct {
	state    string
	issuer   string // "": not known
	required bool   // iss must be there
}

func (e *endpoint) expect(ctx context.Context) (expectation, error) {
	x := expectation{state: rand.Text()}
	if e.options.Issuer == nil {
		return x, nil
	}
	m, err := e.options.Issuer.Metadata(ctx)
	if err != nil {
		return x, err
	}
	if m.refusesS256() {
		return x, errors.New("oauth: the issuer " + m.Issuer + " does not offer PKCE with S256, without which a code can be stolen")
	}
	x.issuer, x.required = m.Issuer, m.names
	return x, nil
}

// withQuery adds to a query that the endpoint's address may have already (RFC 6749
// section 3.1).
func withQuery(u *url.URL, q url.Values) string {
	v := *u
	if v.RawQuery != "" {
		v.RawQuery += "&"
	}
	v.RawQuery += q.Encode()
	return v.String()
}
