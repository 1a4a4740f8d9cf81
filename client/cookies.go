package client

import (
	"net/http"
	"slices"
	"strings"
)

// withCookies gives sent, a copy with a header of its own, the cookies that the jar holds
// now. http.Client has put in those of before: after the caller's own, in the jar's order.
func (t *Transport) withCookies(sent *http.Request) {
	now, there := t.Jar.Cookies(sent.URL), sent.Cookies()
	if len(there) >= len(now) && slices.EqualFunc(there[len(there)-len(now):], now, sameCookie) {
		return
	}
	var pairs []string
	for _, c := range there {
		if !slices.ContainsFunc(now, func(n *http.Cookie) bool { return n.Name == c.Name }) {
			pairs = append(pairs, c.Name+"="+quoted(c))
		}
	}
	delete(sent.Header, "Cookie")
	if pairs != nil {
		sent.Header["Cookie"] = []string{strings.Join(pairs, "; ")}
	}
	for _, c := range now {
		sent.AddCookie(c)
	}
}

// quoted is the value of a cookie as it came.
func quoted(c *http.Cookie) string {
	if c.Quoted {
		return `"` + c.Value + `"`
	}
	return c.Value
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
