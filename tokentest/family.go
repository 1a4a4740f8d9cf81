package tokentest

import (
	"strings"
	"sync/atomic"
	"time"
)

// A Grant is what a login brings.
type Grant struct {
	AccessToken  string
	RefreshToken string
	ExpiresIn    time.Duration // the access token's true life; 0: it never expires
}

// A Family is all refresh tokens that descend from one login, and the access tokens
// that came with them (RFC 9700, section 4.14.2).
type Family struct {
	ID     int // from 1, in the order of the logins
	Serial int // of its newest refresh token, from 1

	// Alive: the newest refresh token would be accepted now.
	Alive bool

	// RevokedByReuse: a spent refresh token came back, and the newest died with it.
	RevokedByReuse bool

	// Lost: the answer that carried the newest refresh token never arrived, so that
	// nobody has it: by Lost, Garbage or Spent, or since the caller had left.
	Lost bool
}

type family struct {
	id      int    // written once
	scope   string // written once
	key     string // thumbprint of the DPoP key that its refresh tokens are bound to; written once
	revoked atomic.Bool

	// Guarded by Server.mu.
	serial  int   // newest refresh token
	expires int64 // its end, Unix nanoseconds
	byReuse bool
	lost    int // newest serial whose answer did not arrive

	accessSerial int
	newest       string    // newest access token
	live         []*access // not yet forgotten, oldest first
	sweepAt      int       // len(live) at which the expired are forgotten
}

// Login begins a new family, as a user who logged in. The scopes are those of RFC 6749,
// section 3.3; without any, every scope asked for in a refresh is too much.
func (s *Server) Login(scope ...string) Grant {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.newFamily(strings.Join(scope, " "))
	return Grant{
		AccessToken:  s.issueAccess(f, f.scope, "", now),
		RefreshToken: s.issueRefresh(f, now),
		ExpiresIn:    max(s.opts.life(), 0),
	}
}

// Families lists all families, by ID.
func (s *Server) Families() []Family {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]Family, len(s.families))
	for i, f := range s.families {
		list[i] = Family{
			ID:             f.id,
			Serial:         f.serial,
			Alive:          f.accepts(f.serial, now),
			RevokedByReuse: f.byReuse,
			Lost:           f.lost == f.serial,
		}
	}
	return list
}

// RefreshState tells which refresh token this is; ok: it would be accepted now. One that
// this server never issued has family 0.
func (s *Server) RefreshState(token string) (family, serial int, ok bool) {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	f, serial := s.findRefresh(token)
	if f == nil {
		return 0, 0, false
	}
	return f.id, serial, f.accepts(serial, now)
}

// RevokeFamilies revokes every family that there is: their refresh tokens and their
// access tokens. Those of client_credentials have no family and live on.
func (s *Server) RevokeFamilies() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.families {
		s.revokeFamily(f)
	}
}

// The methods below are called with mu held.

func (s *Server) newFamily(scope string) *family {
	f := &family{id: len(s.families) + 1, scope: scope}
	s.families = append(s.families, f)
	s.stats.logins.Add(1)
	return f
}

func (s *Server) revokeFamily(f *family) {
	if f.revoked.CompareAndSwap(false, true) {
		s.stats.familiesRevoked.Add(1)
	}
}

func (s *Server) issueRefresh(f *family, now time.Time) string {
	f.serial++
	f.expires = end(now, s.opts.RefreshLife)
	return s.tokenName(refreshPrefix, f.id, f.serial)
}

// findRefresh needs no table of spent tokens: the random part of a token follows from
// its family and serial.
func (s *Server) findRefresh(token string) (*family, int) {
	id, serial, ok := s.readName(refreshPrefix, token)
	if !ok || id > len(s.families) {
		return nil, 0
	}
	f := s.families[id-1]
	if serial > f.serial {
		return nil, 0
	}
	return f, serial
}

func (f *family) accepts(serial int, now time.Time) bool {
	return serial == f.serial && !f.revoked.Load() && now.UnixNano() < f.expires
}
