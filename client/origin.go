package client

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// maxHops ends the walk along a chain of redirects: http.Client follows ten, and
// a chain in a circle has no first request.
const maxHops = 100

// trusts reports whether req may carry the token. The error is about Hosts.
func (t *Transport) trusts(req *http.Request) (bool, error) {
	if req.Response == nil && t.Hosts == nil {
		return true, nil
	}
	first, wasSecure := firstRequest(req)
	if first == nil || wasSecure && req.URL.Scheme != "https" {
		return false, nil
	}
	if t.Hosts != nil {
		return listed(t.Hosts, req.URL)
	}
	return originOf(first.URL) == originOf(req.URL), nil
}

// firstRequest walks from a redirect hop back to the request that the caller
// made, and reports whether any hop on the way was https. The request is nil
// where the chain is broken. The walk works because a Transport hands out
// responses whose Request is the one that it was given.
func firstRequest(req *http.Request) (first *http.Request, wasSecure bool) {
	for range maxHops {
		if req == nil || req.URL == nil {
			return nil, false
		}
		wasSecure = wasSecure || req.URL.Scheme == "https"
		if req.Response == nil {
			return req, wasSecure
		}
		req = req.Response.Request
	}
	return nil, false
}

// An origin is scheme, host and port (RFC 6454 section 4).
type origin struct{ scheme, host, port string }

func originOf(u *url.URL) origin {
	o := origin{strings.ToLower(u.Scheme), strings.ToLower(u.Hostname()), u.Port()}
	if o.port == "" {
		o.port = defaultPort(o.scheme)
	}
	return o
}

func defaultPort(scheme string) string {
	switch scheme {
	case "https":
		return "443"
	case "http":
		return "80"
	}
	return ""
}

// listed reports whether one of the hosts is u's origin. An entry that no URL can
// match is an error: requests sent bare because of a typo would all end with 401.
func listed(hosts []string, u *url.URL) (bool, error) {
	if u.Scheme == "https" && slices.Contains(hosts, u.Host) {
		return true, nil // as nearly always
	}
	o := originOf(u)
	for _, entry := range hosts {
		named := entry
		bare := !strings.Contains(entry, "://")
		if bare {
			named = o.scheme + "://" + entry
		}
		e, err := url.Parse(named)
		if err != nil || e.Hostname() == "" || e.Path+e.RawQuery+e.Fragment != "" || e.User != nil || strings.ContainsAny(e.Host, "*, ") {
			return false, fmt.Errorf("client: Transport.Hosts: %q is neither a host, as api.example.com or api.example.com:8443, nor an origin, as http://intranet.example.com", entry)
		}
		if originOf(e) == o && (!bare || o.scheme == "https" || loopback(o.host)) {
			return true, nil
		}
	}
	return false, nil
}

// loopback reports whether host is this machine, where plain http crosses no
// network (RFC 8252 section 8.3).
func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}
