package oauth

import (
	"net/http"
	"net/url"
	"sync"
	"time"
)

// maxPeers is how many servers are remembered. A crawler may meet any number.
const maxPeers = 1024

// maxNonce is how many bytes of a nonce are put into proofs; a longer one would make
// a header that servers refuse.
const maxNonce = 1024

// A peer is a server that proofs are made for: the nonce that it wants next, and
// of an API its clock; that of a token endpoint its endpoint knows.
type peer struct {
	drift drift

	mu    sync.Mutex
	nonce string
	moved time.Time // when the drift was last found wrong
}

// recent is how long a request may have been under way that was signed before the
// drift was known.
const recent = 30 * time.Second

// late takes in the Date of an API that refused a proof, and reports whether the
// time of the proof was wrong: by what is learned now, or by what another request
// learned while this one was under way.
func (p *peer) late(header http.Header) bool {
	now := time.Now()
	wall := now.Round(0)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.drift.learn(header, wall, wall, p.drift.read()) {
		p.moved = now
	}
	return !p.moved.IsZero() && now.Sub(p.moved) < recent
}

func (p *peer) wanted() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.nonce
}

// learn takes in the nonce of an answer: a server may send a new one with any (RFC
// 9449 section 8.2).
func (p *peer) learn(header http.Header) {
	if fresh := header.Get("DPoP-Nonce"); fresh != "" && len(fresh) <= maxNonce {
		p.mu.Lock()
		p.nonce = fresh
		p.mu.Unlock()
	}
}

// peers are servers by their origin.
type peers struct {
	mu     sync.Mutex
	origin map[string]*peer
}

func (p *peers) at(u *url.URL) *peer {
	o := origin(u)
	p.mu.Lock()
	defer p.mu.Unlock()
	if one := p.origin[o]; one != nil {
		return one
	}
	if p.origin == nil || len(p.origin) >= maxPeers {
		p.origin = make(map[string]*peer) // all anew: a forgotten nonce costs one request
	}
	one := &peer{}
	p.origin[o] = one
	return one
}
