package netorigin

import "net/http"

// maxHops ends the walk along a chain of redirects: an http.Client follows ten.
const maxHops = 100

// Strayed looks at where an answer to sent came from, and returns the first place
// on the way that is neither sent's origin, nor its Secured one, nor allowed.
//
// A RoundTripper is not to follow redirects. One that is made of an http.Client
// does, and takes headers and forms along; what it did shows in the chain of
// requests that begins at Response.Request.
func Strayed(sent *http.Request, resp *http.Response, allowed func(*http.Request) bool) (to Origin, strayed bool) {
	if sent.URL == nil {
		return Origin{}, false
	}
	r := resp.Request
	for range maxHops {
		if r == nil || r == sent || r.URL == nil || r.URL == sent.URL {
			break
		}
		// Without a host it is no request of a client: a handler that serves
		// as RoundTripper makes such.
		if r.URL.Host != "" {
			from, to := Of(sent.URL), Of(r.URL)
			if to != from && to != from.Secured() && (allowed == nil || !allowed(r)) {
				return to, true
			}
		}
		if r.Response == nil || r.Response == sent.Response {
			break // sent, or a copy of it
		}
		r = r.Response.Request
	}
	return Origin{}, false
}
