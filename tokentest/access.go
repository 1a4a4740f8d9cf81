package tokentest

import (
	"math"
	"slices"
	"sync/atomic"
	"time"
)

// access is what the server knows of an access token.
type access struct {
	token   string
	family  *family
	serial  int
	scope   string
	number  int64 // among all access tokens of the server
	issued  int64 // Unix nanoseconds, as expires
	expires int64
	key     string // thumbprint of the DPoP key that it is bound to; "": none
	revoked atomic.Bool
}

// RevokeAccess revokes every access token now alive, as a resource server does that lost
// its sessions. Refresh tokens live on.
func (s *Server) RevokeAccess() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cutoff.Store(s.issued)
}

// issueAccess is called with mu held.
func (s *Server) issueAccess(f *family, scope, key string, now time.Time) string {
	s.issued++
	f.accessSerial++
	a := &access{
		token:   s.tokenName(accessPrefix, f.id, f.accessSerial),
		family:  f,
		serial:  f.accessSerial,
		scope:   scope,
		key:     key,
		number:  s.issued,
		issued:  now.UnixNano(),
		expires: end(now, max(s.opts.life(), 0)),
	}
	s.access.Store(a.token, a)
	f.newest = a.token
	f.live = append(f.live, a)
	if len(f.live) > f.sweepAt {
		s.sweep(f, now)
	}
	return a.token
}

// sweep forgets the access tokens of f that are dead, so that a run of a million refreshes
// holds those alive only. It runs each time their number has doubled.
func (s *Server) sweep(f *family, now time.Time) {
	f.live = slices.DeleteFunc(f.live, func(a *access) bool {
		dead := !s.alive(a, now)
		if dead {
			s.access.Delete(a.token)
		}
		return dead
	})
	f.sweepAt = 2*len(f.live) + 8
}

// accept takes no lock: it is asked for every request to the API.
func (s *Server) accept(token string) (*access, bool) {
	v, ok := s.access.Load(token)
	if !ok {
		return nil, false
	}
	a := v.(*access)
	return a, s.alive(a, s.now())
}

func (s *Server) alive(a *access, now time.Time) bool {
	return now.UnixNano() < a.expires &&
		a.number > s.cutoff.Load() &&
		a.issued >= s.lastRevocation(now) &&
		!a.revoked.Load() &&
		!a.family.revoked.Load()
}

// lastRevocation is the moment, in Unix nanoseconds, at which Options.RevokeEvery last
// struck.
func (s *Server) lastRevocation(now time.Time) int64 {
	every, passed := s.opts.RevokeEvery, now.Sub(s.start)
	if every <= 0 || passed < 0 {
		return math.MinInt64
	}
	for period := passed / every; period >= 0; period-- {
		// Complemented, so that the moments do not follow the sequence of draw.
		at := period*every + time.Duration(unit(^s.seed, uint64(period))*float64(every))
		if at <= passed {
			return s.start.Add(at).UnixNano()
		}
	}
	return math.MinInt64
}

// end is now+life in Unix nanoseconds, and never for a life of 0.
func end(now time.Time, life time.Duration) int64 {
	if life == 0 {
		return math.MaxInt64
	}
	return now.Add(life).UnixNano()
}
