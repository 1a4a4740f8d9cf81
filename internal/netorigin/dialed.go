package netorigin

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"sync"
)

// maxName is how long a name may be that is looked at: DNS allows 253 bytes, which
// the letters of a name that is not ASCII may take four times over.
const maxName = 1024

// maxNames is how many names are remembered. Redirects may name any number.
const maxNames = 1024

// names are the names that net/http was asked about.
var names struct {
	sync.Mutex
	dialed map[string]string
}

// dialed returns the name that net/http dials for one that is not ASCII, in its own
// mapping (IDNA's lookup profile, with the tables of the Go release in use). It is
// found by letting an http.Transport dial, and taking the address from it before
// any is looked up. The alternatives are a copy of x/net/idna, whose tables may
// differ from those that net/http uses, and punycode of our own, which lacks the
// mapping: both would now and then take two servers for one. A name that
// net/http cannot map is dialed as it stands, and so returned.
func dialed(name string) string {
	if len(name) > maxName {
		return name
	}
	names.Lock()
	known, ok := names.dialed[name]
	names.Unlock()
	if ok {
		return known
	}
	found := ask(name)
	names.Lock()
	defer names.Unlock()
	if names.dialed == nil || len(names.dialed) >= maxNames {
		names.dialed = make(map[string]string) // all anew: asking again takes microseconds
	}
	names.dialed[name] = found
	return found
}

var errAsked = errors.New("netorigin: not dialed")

func ask(name string) string {
	found := name
	t := &http.Transport{DialContext: func(_ context.Context, _, addr string) (net.Conn, error) {
		if host, _, err := net.SplitHostPort(addr); err == nil {
			found = host
		}
		return nil, errAsked
	}}
	// RoundTrip returns after DialContext has, or without a call of it.
	resp, err := t.RoundTrip(&http.Request{
		Method: http.MethodGet,
		URL:    &url.URL{Scheme: "http", Host: name, Path: "/"},
		Header: http.Header{},
	})
	if err == nil {
		_ = resp.Body.Close() // not reached: no connection comes of DialContext
	}
	return found
}
