// Package netorigin says which server a request goes to, named as net/http dials
// it. Package client sends tokens to origins, package oauth secrets; what they
// take for the same origin must be what net/http takes for the same server.
package netorigin

import (
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// An Origin is scheme, host and port (RFC 6454 section 4). Two are the same
// origin if they are equal.
type Origin struct {
	Scheme string
	Host   string // see Host
	Port   string // never empty for http and https
}

// Of returns the origin of u.
func Of(u *url.URL) Origin {
	o := Origin{lower(u.Scheme), Host(u.Hostname()), u.Port()}
	if o.Port == "" {
		o.Port = defaultPort(o.Scheme)
	}
	return o
}

// At returns the origin that a scheme and the value of a Host header name.
func At(scheme, hostport string) Origin {
	return Of(&url.URL{Scheme: scheme, Host: hostport})
}

// String returns the origin as in a URL, the port left out where it is the
// scheme's own.
func (o Origin) String() string {
	host := o.Host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if o.Port != defaultPort(o.Scheme) {
		host += ":" + o.Port
	}
	return o.Scheme + "://" + host
}

// Secured returns the https origin that servers lead to from o: the same host,
// where o is http, and both ports are the schemes' own. Any other o is returned
// as it is.
func (o Origin) Secured() Origin {
	if o.Scheme == "http" && o.Port == "80" {
		return Origin{"https", o.Host, "443"}
	}
	return o
}

// InClear reports whether what is sent to o crosses a network unencrypted.
func (o Origin) InClear() bool { return o.Scheme == "http" && !Loopback(o.Host) }

func defaultPort(scheme string) string {
	switch scheme {
	case "https":
		return "443"
	case "http":
		return "80"
	}
	return ""
}

// Loopback reports whether host is this machine, so that plain http crosses no
// network (RFC 8252 section 8.3). A name that only resolves to it does not
// count: its DNS server decides where it leads. localhost does
// (RFC 6761 section 6.3).
func Loopback(host string) bool {
	host = Host(host)
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// Host returns the one spelling of a host, without port and brackets, that
// net/http dials. Names are lowered by ASCII's rules: U+0130 lowers to "i" by
// Unicode's, and is another name by IDNA's. A name that is not ASCII becomes what
// net/http makes of it. An IPv6 address has one spelling; its zone, the name of an
// interface, is kept as it stands. A dot at the end is
// kept: with it the resolver does not try the machine's search domains, so it is
// another name.
func Host(host string) string {
	switch {
	case strings.Contains(host, ":"):
		if addr, err := netip.ParseAddr(host); err == nil {
			return addr.String()
		}
		return host
	case ASCII(host):
		return lower(host)
	}
	return lower(dialed(host))
}

// HostHeader returns hostport with the name that net/http dials in place of one
// that is not ASCII, for Request.Host and URL.Host. Left to itself net/http writes
// another name if IDNA maps letters of it, such as capitals or U+212A: in the
// Host header, in the request line for a proxy and in its pool of HTTP/2
// connections names are in punycode without that mapping.
func HostHeader(hostport string) string {
	if ASCII(hostport) {
		return hostport
	}
	u := url.URL{Host: hostport}
	host := Host(u.Hostname())
	if port := u.Port(); port != "" {
		return net.JoinHostPort(host, port)
	}
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

// lower lowers A to Z and nothing else.
func lower(s string) string {
	for i := range len(s) {
		if c := s[i]; 'A' <= c && c <= 'Z' {
			b := []byte(s)
			for j, c := range b {
				if 'A' <= c && c <= 'Z' {
					b[j] = c + 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}

// ASCII reports whether s is that alone. It is asked for each request that is authorized: eight bytes at a time.
func ASCII(s string) bool {
	for ; len(s) >= 8; s = s[8:] {
		if s[0]|s[1]|s[2]|s[3]|s[4]|s[5]|s[6]|s[7] >= 0x80 {
			return false
		}
	}
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
