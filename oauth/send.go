package oauth

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"example.com/tokenactor/internal/netorigin"
	"example.com/tokenactor/manager"
)

const maxRedirects = 5

// send sends a request to target, through redirects that keep the method and the
// origin, and returns the answer with the address that gave it. It walks them itself:
// http.Client would not say whether the first request arrived when a later one fails.
func send(ctx context.Context, client *http.Client, method string, target *url.URL, header http.Header, form string, h hush) (*http.Response, *url.URL, error) {
	from := origin(target)
	if err := ctx.Err(); err != nil {
		return nil, nil, manager.NotSent(newCallError(from, err, h))
	}
	for hop := 0; ; hop++ {
		var p progress
		req, err := http.NewRequestWithContext(p.watch(ctx), method, target.String(), strings.NewReader(form))
		if err != nil {
			return nil, nil, manager.Permanent(newCallError(from, err, h))
		}
		req.URL.Host = netorigin.HostHeader(req.URL.Host) // what is dialed, and what is written: one name
		req.Host = req.URL.Host
		req.Header = header.Clone()
		if req.GetBody != nil {
			req.GetBody = p.body(form)
		}
		once := *client
		once.Transport = p.over(client.Transport)
		resp, err := once.Do(req)
		if err != nil {
			unsent := hop == 0 && p.notSent(err)
			err = newCallError(from, err, h)
			if unsent {
				err = manager.NotSent(err)
			}
			return nil, nil, err
		}
		if to, strayed := netorigin.Strayed(req, resp, nil); strayed {
			resp.Body.Close()
			return nil, nil, newCallError(from, fmt.Errorf("the client's Transport went to %s by itself: it must not follow redirects", to), h)
		}
		next := follow(method, target, resp)
		if next == nil || hop == maxRedirects {
			return resp, target, nil
		}
		resp.Body.Close()
		target = next
	}
}

// follow gives where a redirect leads, nil where it is not to be followed. After
// 301, 302 and 303 clients go on with a GET, which is no token request.
func follow(method string, target *url.URL, resp *http.Response) *url.URL {
	switch resp.StatusCode {
	case http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther:
		if method != http.MethodGet {
			return nil
		}
	default:
		return nil
	}
	next := location(target, resp.Header)
	if next == nil || next.User != nil || origin(next) != origin(target) {
		return nil
	}
	return next
}

// location is the address that a redirect of target names; nil: none that is one.
func location(target *url.URL, header http.Header) *url.URL {
	next, err := target.Parse(header.Get("Location"))
	if err != nil || header.Get("Location") == "" {
		return nil
	}
	return next
}

// location is that address as far as an error may show it: origin and path. A query
// often holds what no text should.
func (h hush) location(target *url.URL, header http.Header) string {
	next := location(target, header)
	if next == nil || next.Host == "" || next.Scheme != "https" && next.Scheme != "http" {
		return ""
	}
	return h.clean(origin(next) + next.EscapedPath())
}
