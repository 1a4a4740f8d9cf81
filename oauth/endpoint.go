package oauth

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"example.com/tokenactor/manager"
	"golang.org/x/oauth2"
)

const (
	maxAnswer    = 1 << 20 // bytes of an answer's body
	maxRedirects = 5
)

// An endpoint is a token endpoint and the client that it knows us as. Whatever
// grant asks for a token, it is sent from here.
type endpoint struct {
	url    *url.URL
	origin string
	auth   clientAuth
	secret string // what no text may repeat, besides what is in a form
	client *http.Client
	err    error // what is wrong with the configuration; the rest is then unset
}

func newEndpoint(tokenURL, id, secret string, style oauth2.AuthStyle, options []Options) endpoint {
	var o Options
	switch len(options) {
	case 0:
	case 1:
		o = options[0]
	default:
		return endpoint{err: errors.New("oauth: a grant takes one Options, not several")}
	}
	u, err := parseEndpoint(tokenURL, o.AllowHTTP)
	if err != nil {
		return endpoint{err: err}
	}
	auth, err := secretAuth(id, secret, style)
	if err != nil {
		return endpoint{err: err}
	}
	return endpoint{url: u, origin: origin(u), auth: auth, secret: secret, client: o.client()}
}

// call sends a token request and reads the answer. Its errors carry their marks.
func (e *endpoint) call(ctx context.Context, form url.Values) (manager.Token, error) {
	if e.err != nil {
		return manager.Token{}, manager.Permanent(e.err)
	}
	form = maps.Clone(form)
	header := http.Header{
		"Accept":       {"application/json"},
		"Content-Type": {"application/x-www-form-urlencoded"},
	}
	e.auth(header, form)
	h := hushed(form, e.secret)

	sent := time.Now().Round(0) // RefreshExpiry is stored: no monotonic reading
	resp, err := e.send(ctx, header, form.Encode(), h)
	if err != nil {
		return manager.Token{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil && success(resp.StatusCode) {
		return manager.Token{}, newCallError(e.origin, err, h)
	}
	token, refusal := decode(resp, body, sent, h)
	if refusal != nil {
		return manager.Token{}, refusal.mark(form.Has("refresh_token"), retryAfter(resp.Header, sent))
	}
	return token, nil
}

// send posts the form, through redirects that keep the method and the origin. It
// walks them itself: http.Client would not say whether the first request arrived
// when a later one fails.
func (e *endpoint) send(ctx context.Context, header http.Header, form string, h hush) (*http.Response, error) {
	if err := ctx.Err(); err != nil {
		return nil, manager.Unspent(newCallError(e.origin, err, h))
	}
	for target, hop := e.url, 0; ; hop++ {
		var p progress
		req, err := http.NewRequestWithContext(p.watch(ctx), http.MethodPost, target.String(), strings.NewReader(form))
		if err != nil {
			return nil, manager.Permanent(newCallError(e.origin, err, h))
		}
		req.Header = header.Clone()
		resp, err := e.client.Do(req)
		if err != nil {
			unsent := hop == 0 && p.notSent(err)
			err = newCallError(e.origin, err, h)
			if unsent {
				err = manager.Unspent(err)
			}
			return nil, err
		}
		next := e.follow(target, resp)
		if next == nil || hop == maxRedirects {
			return resp, nil
		}
		resp.Body.Close()
		target = next
	}
}

// follow gives where a redirect leads, nil where it is not to be followed. After
// 301, 302 and 303 clients go on with a GET, which is no token request.
func (e *endpoint) follow(target *url.URL, resp *http.Response) *url.URL {
	if resp.StatusCode != http.StatusTemporaryRedirect && resp.StatusCode != http.StatusPermanentRedirect {
		return nil
	}
	location := resp.Header.Get("Location")
	if location == "" {
		return nil
	}
	next, err := target.Parse(location)
	if err != nil || next.User != nil || origin(next) != e.origin {
		return nil
	}
	return next
}
