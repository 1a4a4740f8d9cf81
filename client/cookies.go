package client

import (
	"net/http"
	"slices"
	"strings"
)

// withCookies puts into sent, a copy with a header of its own, the cookies that the jar holds
// now. http.Client has put in those of before: after the caller's own, in the jar's order.
func (t *Transport) withCookies(sent *http.Request) {
	now, there := t.Jar.Cookies(sent.URL), sent.Cookies()
	if len(there) >= len(now) && slices.EqualFunc(there[len(there)-len(now):], now, sameCookie) {
		return
	}
	var kept []string // as they were written: not all that is sent is a cookie to net/http
	for _, line := range sent.Header["Cookie"] {
		for pair := range strings.SplitSeq(line, ";") {
			pair = strings.TrimSpace(pair)
			name, _, _ := strings.Cut(pair, "=")
			if pair != "" && !slices.ContainsFunc(now, func(c *http.Cookie) bool { return c.Name == strings.TrimSpace(name) }) {
				kept = append(kept, pair)
			}
		}
	}
	delete(sent.Header, "Cookie")
	if kept != nil {
		sent.Header["Cookie"] = []string{strings.Join(kept, "; ")}
	}
	for _, c := range now {
		sent.AddCookie(c)
	}
}

func sameCookie(a, b *http.Cookie) bool { return a.Name == b.Name && a.Value == b.Value }

// keepCookies stores those of a response that the http.Client around does not get to see.
func (t *Transport) keepCookies(req *http.Request, resp *http.Response) {
	if t.Jar == nil {
		return
	}
	if set := resp.Cookies(); len(set) > 0 {
		t.Jar.SetCookies(req.URL, set)
	}
}
