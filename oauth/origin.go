package oauth

import (
	"fmt"
	"net/url"

	"example.com/tokenactor/internal/netorigin"
)

// parseEndpoint reads the URL of an endpoint that secrets are sent to, from the
// field of that name. Errors do not repeat it: its query may hold a key.
func parseEndpoint(name, raw string, allowHTTP bool) (*url.URL, error) {
	if raw == "" {
		return nil, fmt.Errorf("oauth: the configuration has no %s", name)
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "":
		return nil, fmt.Errorf("oauth: %s is not an absolute URL such as https://auth.example.com/token", name)
	case u.User != nil:
		return nil, fmt.Errorf("oauth: %s has a user name in it: use ClientID and ClientSecret", name)
	case u.Fragment != "":
		return nil, fmt.Errorf("oauth: %s has a fragment, which RFC 6749 section 3.2 forbids", name)
	case u.Scheme == "https", u.Scheme == "http" && (allowHTTP || loopback(u.Hostname())):
		return u, nil
	case u.Scheme == "http":
		return nil, fmt.Errorf("oauth: %s %s would send secrets unencrypted: use https, or set Options.AllowHTTP", name, origin(u))
	}
	return nil, fmt.Errorf("oauth: %s is neither https nor http", name)
}

// loopback reports whether host is this machine.
func loopback(host string) bool { return netorigin.Loopback(host) }

// origin is scheme, host and port, the port left out where it is the scheme's
// own: see package internal/netorigin, which package client uses too.
func origin(u *url.URL) string { return netorigin.Of(u).String() }
