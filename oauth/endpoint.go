package oauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"example.com/tokenactor/manager"
	"golang.org/x/oauth2"
)

const maxAnswer = 1 << 20 // bytes of an answer's body

// An endpoint is a token endpoint and the client that it knows us as. Whatever
// grant asks for a token, it asks here.
type endpoint struct {
	urls    map[string]string // what is configured, by kind of endpoint
	group   string
	id      string // of the client
	auth    clientAuth
	secret  string // what no text may repeat, besides what is in a form
	client  *http.Client
	options Options
	drift   drift
	err     error // what is wrong with the configuration
}

// newEndpoint reads a configuration. A grant that is possible for a client without
// a name does not require one.
func newEndpoint(cfg oauth2.Config, required bool, options []Options) *endpoint {
	e := &endpoint{id: cfg.ClientID, secret: cfg.ClientSecret}
	if len(options) > 1 {
		e.err = errors.New("oauth: a grant takes one Options, not several")
		return e
	}
	if len(options) == 1 {
		e.options = options[0]
	}
	o := &e.options
	e.client = o.client()
	e.urls = map[string]string{
		tokenEndpoint:  cfg.Endpoint.TokenURL,
		authEndpoint:   cfg.Endpoint.AuthURL,
		deviceEndpoint: cfg.Endpoint.DeviceAuthURL,
		revokeEndpoint: o.RevokeURL,
	}
	if o.Issuer != nil {
		e.group = o.Issuer.group()
	}
	for kind, raw := range e.urls {
		if raw == "" && (kind != tokenEndpoint || o.Issuer != nil) {
			continue // it may not be needed, or the issuer names it
		}
		u, err := parseEndpoint(fieldOf[kind], raw, o.AllowHTTP)
		if err != nil {
			e.err = err
			return e
		}
		if kind == tokenEndpoint {
			e.group = origin(u)
		}
	}
	if e.auth, e.err = authentication(cfg, o.Auth, required); e.err != nil {
		return e
	}
	if o.Auth.tls && o.Client == nil {
		e.err = errors.New("oauth: TLSClientAuth needs an Options.Client whose TLSClientConfig has the certificate")
		return e
	}
	if o.Revoke && o.RevokeURL == "" && o.Issuer == nil {
		e.err = errors.New("oauth: Options.Revoke needs RevokeURL, or an Issuer that names it")
	}
	return e
}

// call asks for a token. Its errors carry their marks.
//
// It sends once, and a second time only where the server has said in so many words
// that it did not get as far as the grant; see unread.
func (e *endpoint) call(ctx context.Context, req request, prev manager.Token) (manager.Token, error) {
	if e.err != nil {
		return manager.Token{}, manager.Permanent(e.err)
	}
	target, err := e.locate(ctx, tokenEndpoint)
	if err != nil {
		return manager.Token{}, manager.NotSent(err)
	}
	proof, err := e.options.DPoP.prover(prev)
	if err != nil {
		return manager.Token{}, manager.Permanent(err)
	}
	for first := true; ; first = false {
		ahead := e.drift.read()
		form, err := req(ctx, time.Now().Add(ahead))
		if err != nil {
			return manager.Token{}, manager.NotSent(err)
		}
		form = maps.Clone(form)
		header := make(http.Header)
		if err := proof.sign(header, target, time.Now().Add(ahead)); err != nil {
			return manager.Token{}, manager.NotSent(err)
		}
		r, err := e.post(ctx, target, header, form, ahead)
		if err != nil {
			return manager.Token{}, err
		}
		renonced := proof.learn(target, r.header)
		token, refusal := r.token(tokenEndpoint)
		if refusal == nil {
			proof.keep(&token)
			return token, nil
		}
		if err := r.lost(); err != nil {
			return manager.Token{}, err
		}
		if first && refusal.unread(renonced, r.late, proof != nil, form) {
			continue
		}
		return manager.Token{}, refusal.mark(r.spent, retryAfter(r.header, r.sent))
	}
}

// unread reports whether a refusal says that the request was refused before its
// grant was looked at, for a reason that is mended by now: a nonce that we did not
// know (RFC 9449 section 8), or a clock of ours that is wrong, which spoils what we
// sign, and nothing else: a secret is as wrong at any time.
func (e *Error) unread(renonced, late, proved bool, form url.Values) bool {
	switch e.Code {
	case "use_dpop_nonce":
		return renonced
	case "invalid_dpop_proof":
		return late && proved
	case "invalid_client":
		return late && form.Has("client_assertion")
	case "invalid_grant":
		return late && form.Has("assertion")
	}
	return false
}

// A reply is an answer that has been read.
type reply struct {
	status int
	header http.Header
	body   []byte
	broken error // why the body is not whole
	from   string
	target *url.URL // which answered, behind the redirects
	sent   time.Time
	spent  bool             // the request carried a refresh token
	style  oauth2.AuthStyle // how a client secret was sent, zero: there was none
	late   bool             // the time that the request was signed at was wrong, as its Date tells
	hush   hush
}

// lost is the error of an answer of 2xx that broke off before it was whole; nil: this
// is none. It may have been a token.
func (r *reply) lost() error {
	if r.broken == nil || !success(r.status) {
		return nil
	}
	return newCallError(r.from, r.broken, r.hush)
}

// post sends a form to an endpoint of the server, with what authenticates the
// client, and reads the answer. ahead is the drift that it is signed with.
func (e *endpoint) post(ctx context.Context, target *url.URL, header http.Header, form url.Values, ahead time.Duration) (*reply, error) {
	header.Set("Accept", "application/json")
	header.Set("Content-Type", "application/x-www-form-urlencoded")
	at := occasion{now: time.Now().Add(ahead)}
	if e.options.Issuer != nil {
		at.audience = e.options.Issuer.url
	} else if token, err := e.locate(ctx, tokenEndpoint); err == nil {
		at.audience = withoutQuery(token).String()
	}
	if err := e.auth(header, form, at); err != nil {
		return nil, manager.NotSent(err)
	}
	r := &reply{from: origin(target), spent: form.Has("refresh_token"), sent: time.Now().Round(0), hush: hushed(form, e.secret, header.Get("Authorization"))} // compared with a wall clock: no monotonic reading
	switch {
	case strings.HasPrefix(header.Get("Authorization"), "Basic "):
		r.style = oauth2.AuthStyleInHeader
	case form.Has("client_secret"):
		r.style = oauth2.AuthStyleInParams
	}
	resp, answered, err := send(ctx, e.client, http.MethodPost, target, header, form.Encode(), r.hush)
	if err != nil {
		return nil, err
	}
	r.target = answered
	defer resp.Body.Close()
	r.status, r.header = resp.StatusCode, resp.Header
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	r.body, r.broken = gunzip(body)
	if err != nil {
		r.broken = err
	}
	r.late = e.drift.learn(r.header, r.sent, time.Now().Round(0), ahead)
	return r, nil
}

// The kinds of endpoints of an authorization server, and the field of a
// configuration that each is in.
const (
	tokenEndpoint  = "token endpoint"
	authEndpoint   = "authorization endpoint"
	deviceEndpoint = "device authorization endpoint"
	revokeEndpoint = "revocation endpoint"
)

var fieldOf = map[string]string{tokenEndpoint: "TokenURL", authEndpoint: "AuthURL", deviceEndpoint: "DeviceAuthURL", revokeEndpoint: "RevokeURL"}

// locate finds an endpoint: the configured one, or that which the issuer names.
func (e *endpoint) locate(ctx context.Context, kind string) (*url.URL, error) {
	configured := e.urls[kind]
	if configured != "" || e.options.Issuer == nil {
		return parseEndpoint(fieldOf[kind], configured, e.options.AllowHTTP)
	}
	m, err := e.options.Issuer.Metadata(ctx)
	if err != nil {
		return nil, err
	}
	found := m.endpoint(kind, e.options.Auth.tls)
	if found == "" {
		return nil, fmt.Errorf("oauth: the issuer %s names no %s", m.Issuer, kind)
	}
	u, err := parseEndpoint("the issuer's "+kind, found, e.options.AllowHTTP)
	if err == nil && u.Scheme == "http" && e.options.Issuer.parsed.Scheme == "https" && !e.options.AllowHTTP {
		// To this machine, which is where a stranger's issuer must not send secrets.
		return nil, fmt.Errorf("oauth: the issuer's %s %s is not https, as the issuer is (RFC 8414 section 2): it is not used unless Options.AllowHTTP is set", kind, origin(u))
	}
	return u, err
}

// bare takes the marks for the manager off an error of call, for those who log in
// and are no Refresher.
func bare(err error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if e, ok := errors.AsType[*callError](err); ok {
		return e
	}
	return err
}

func withoutQuery(u *url.URL) *url.URL {
	v := *u
	v.RawQuery, v.ForceQuery, v.Fragment, v.RawFragment, v.User = "", false, "", "", nil
	if v.Path == "" {
		v.Path = "/"
	}
	return &v
}
