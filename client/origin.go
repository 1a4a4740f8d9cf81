package client

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"example.com/tokenactor/internal/netorigin"
	"example.com/tokenactor/manager"
)

// maxHops ends the walk along a chain of redirects: http.Client follows ten, and
// a chain in a circle has no first request.
const maxHops = 100

// trusts reports whether req may carry the token; if not, why it is sent bare.
// The error is about Hosts, or says that nothing is sent at all.
func (t *Transport) trusts(req *http.Request) (BareReason, error) {
	u := req.URL
	if req.Response == nil && u.Scheme == "https" && u.Opaque == "" && (req.Host == "" || req.Host == u.Host) &&
		(t.Hosts == nil || slices.Contains(t.Hosts, u.Host)) {
		return "", nil // as nearly always
	}
	to, err := targetOf(req)
	if err != nil {
		return "", err
	}
	first, wasSecure := firstRequest(req)
	switch {
	case first == nil:
		return BareOtherOrigin, nil
	case wasSecure && to.dialed.Scheme != "https":
		return BarePlainHTTP, nil
	case t.Hosts != nil:
		return to.listed(t.Hosts)
	}
	if first != req {
		if from, err := targetOf(first); err != nil || !from.leadsTo(to) {
			return BareOtherOrigin, nil
		}
	}
	return "", to.encrypted("name the origin in Transport.Hosts, which are then the only hosts that see the token")
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
		wasSecure = wasSecure || strings.EqualFold(req.URL.Scheme, "https")
		if req.Response == nil {
			return req, wasSecure
		}
		req = req.Response.Request
	}
	return nil, false
}

// A target is where net/http sends a request. It dials URL.Host; but a proxy for
// plain http, and a server of many names, go by the Host header, for which
// Request.Host comes before URL.Host, and by the request line, in which
// URL.Opaque may name a third host. Nearly always the three are one.
type target struct{ dialed, host, opaque netorigin.Origin }

func targetOf(req *http.Request) (target, error) {
	u := req.URL
	dialed := netorigin.Of(u)
	to := target{dialed, dialed, dialed}
	if req.Host != "" && req.Host != u.Host {
		to.host = netorigin.At(u.Scheme, req.Host)
	}
	switch o := u.Opaque; {
	case o == "", o == "*", strings.HasPrefix(o, "/") && !strings.HasPrefix(o, "//"):
	default:
		named, err := url.Parse(u.RequestURI()) // what is written into the request line
		if err != nil || named.Host == "" {
			return target{}, errors.New("client: URL.Opaque is neither a path nor names a host, so no token is sent: set URL.Path, or an Opaque such as //api.example.com/path")
		}
		to.opaque = netorigin.Of(named)
	}
	return to, nil
}

// each yields the different origins of the target.
func (to target) each(yield func(netorigin.Origin) bool) {
	if !yield(to.dialed) || to.host != to.dialed && !yield(to.host) {
		return
	}
	if to.opaque != to.dialed && to.opaque != to.host {
		yield(to.opaque)
	}
}

// leadsTo reports whether a redirect from one target to another stays at home. The
// name that is dialed must be the same. The others may be any of the three:
// with Request.Host set, servers redirect by that name or by their own.
func (from target) leadsTo(to target) bool {
	if to.dialed != from.dialed && to.dialed != from.dialed.Secured() {
		return false
	}
	for o := range to.each {
		known := false
		for home := range from.each {
			known = known || o == home || o == home.Secured()
		}
		if !known {
			return false
		}
	}
	return true
}

// encrypted returns an error where the token would cross a network in the clear
// (RFC 6750 section 5.3).
func (to target) encrypted(remedy string) error {
	for o := range to.each {
		switch {
		case !o.InClear():
		case o == to.host && o != to.dialed:
			return fmt.Errorf("client: %s, which Request.Host names, would get the token unencrypted: use https, leave Request.Host empty, or %s", o, remedy)
		default:
			return fmt.Errorf("client: %s would get the token unencrypted: use https, or %s", o, remedy)
		}
	}
	return nil
}

// listed reports whether the hosts name each origin of the target.
func (to target) listed(hosts []string) (BareReason, error) {
	for o := range to.each {
		if reason, err := listed(hosts, o); reason != "" || err != nil {
			return reason, err
		}
	}
	return "", nil
}

// listed reports whether one of the hosts is the origin. An entry that no URL can
// match is an error: requests sent bare because of a typo would all end with 401.
func listed(hosts []string, o netorigin.Origin) (BareReason, error) {
	reason := BareNotListed
	for _, entry := range hosts {
		named := entry
		bare := !strings.Contains(entry, "://")
		if bare {
			named = o.Scheme + "://" + entry
		}
		u, err := url.Parse(named)
		if err != nil || u.Hostname() == "" || u.Path+u.RawQuery+u.Fragment != "" || u.User != nil || strings.ContainsAny(u.Host, "*, ") {
			return "", fmt.Errorf("client: Transport.Hosts: %q is neither a host, as api.example.com or api.example.com:8443, nor an origin, as http://intranet.example.com", entry)
		}
		switch e := netorigin.Of(u); {
		case bare && e == o && o.InClear():
			reason = BarePlainHTTP
		case e == o, !bare && e.Secured() == o:
			return "", nil
		}
	}
	return reason, nil
}

// received makes resp, Base's answer to sent, one to req. It is an error if the
// answer comes from where no token was to go: then Base has followed a redirect
// itself, and may have taken the token along.
func (t *Transport) received(req, sent *http.Request, resp *http.Response, token *manager.Token) error {
	if resp.Request != nil && resp.Request != sent && resp.Request.URL != sent.URL {
		to, strayed := netorigin.Strayed(sent, resp, func(hop *http.Request) bool {
			if t.Hosts == nil || sent.URL.Scheme == "https" && hop.URL.Scheme != "https" {
				return false
			}
			reason, err := listed(t.Hosts, netorigin.Of(hop.URL))
			return reason == "" && err == nil
		})
		if strayed {
			if resp.Body != nil {
				_ = resp.Body.Close()
			}
			return mask(fmt.Errorf("client: asked %s, but Transport.Base went to %s by itself, perhaps with the token: "+
				"let Base leave redirects to the http.Client around it (in an http.Client, CheckRedirect returns http.ErrUseLastResponse), "+
				"or name both in Transport.Hosts", netorigin.Of(sent.URL), to), token)
		}
	}
	if q, ok := t.Place.(query); ok {
		q.hide(t, sent, resp, token)
	}
	resp.Request = req
	return nil
}
