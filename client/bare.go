package client

import (
	"hash/maphash"
	"net/http"
	"sync"

	"example.com/tokenactor/internal/netorigin"
)

// A BareReason says why a Transport sent a request without a token.
type BareReason string

const (
	// BareOwnAuthorization: something is in the token's place already, or
	// was in the first request of the chain of redirects.
	BareOwnAuthorization BareReason = "it has an authorization of its own"

	// BareNotListed: Transport.Hosts does not name the host that the request
	// goes to, or the one that its Host header names.
	BareNotListed BareReason = "its host is not in Transport.Hosts"

	// BareOtherOrigin: a redirect led to another origin than that of the first
	// request, or along a chain whose first request cannot be found.
	BareOtherOrigin BareReason = "a redirect led to another origin"

	// BarePlainHTTP: the entry of Transport.Hosts is good for https only, or a
	// redirect led from https to http.
	BarePlainHTTP BareReason = "it would show the token unencrypted"
)

// maxNoticed is how many pairs of origin and reason OnBare is told. A crawler may
// meet any number of origins, and a redirect may name any.
const maxNoticed = 4096

// noticed is what OnBare was told: hashes, since names from outside can be long.
type noticed struct {
	mu  sync.Mutex
	set map[uint64]struct{}
}

var noticedSeed = maphash.MakeSeed()

// first reports whether this is the first time, and room to remember it.
func (n *noticed) first(origin string, reason BareReason) bool {
	key := maphash.Comparable(noticedSeed, [2]string{origin, string(reason)})
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, old := n.set[key]; old || len(n.set) >= maxNoticed {
		return false
	}
	if n.set == nil {
		n.set = make(map[uint64]struct{})
	}
	n.set[key] = struct{}{}
	return true
}

// notice tells OnBare of req.
func (t *Transport) notice(req *http.Request, reason BareReason) {
	if t.OnBare == nil || req.URL == nil {
		return
	}
	if origin := netorigin.Of(req.URL).String(); t.bare.first(origin, reason) {
		t.OnBare(origin, reason)
	}
}
