package oauth

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"example.com/tokenactor/manager"
)

const maxRedirects = 5

// send sends a request to target, through redirects that keep the method and the
// origin. It walks them itself: http.Client would not say whether the first request
// arrived when a later one fails.
func send(ctx context.Context, client *http.Client, method string, target *url.URL, header http.Header, form string, h hush) (*http.Response, error) {
	from := origin(target)
	if err := ctx.Err(); err != nil {
		return nil, manager.NotSent(newCallError(from, err, h))
	}
	for hop := 0; ; hop++ {
		var p progress
		req, err := http.NewRequestWithContext(p.watch(ctx), method, target.String(), strings.NewReader(form))
		if err != nil {
			return nil, manager.Permanent(newCallError(from, err, h))
		}
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
			return nil, err
		}
		next := follow(target, resp)
		if next == nil || hop == maxRedirects {
			return resp, nil
		}
		resp.Body.Close()
		target = next
	}
}

// follow gives where a redirect leads, nil where it is not to be followed. After
// 301, 302 and 303 clients go on with a GET, which is no token request.
func follow(target *url.URL, resp *http.Response) *url.URL {
	if resp.StatusCode != http.StatusTemporaryRedirect && resp.StatusCode != http.StatusPermanentRedirect {
		return nil
	}
	location := resp.Header.Get("Location")
	if location == "" {
		return nil
	}
	next, err := target.Parse(location)
	if err != nil || next.User != nil || origin(next) != origin(target) {
		return nil
	}
	return next
}
