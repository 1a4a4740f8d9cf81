package manager

import "time"

// Settling returns how long to wait before a request that was rejected is sent again with the
// same token, which is younger than Policy.Settle: the API may not know it yet. It is 0 where
// the token is older, or no longer the one in use, or the resource is known to reject fresh
// tokens: then the rejection counts. The waits grow, and end when the token is as old as
// Policy.Settle by Config.Clock, after six at most. The client decorator calls it.
func (c *Credential) Settling(of Rejection) time.Duration {
	settle := c.machine.set.policy.Settle
	if settle <= 0 {
		return 0
	}
	e, now := c.evidence(), c.published.Load()
	if e == nil || now == nil || !now.same(of.Token) {
		return 0
	}
	age := e.age(c.sinceStart(), versionOf(of.Token), of.Resource.key())
	if age >= settle {
		return 0
	}
	return min(max(age, settle/16), settle-age)
}

// arrived notes when a token was first there for callers.
func (e *evidence) arrived(now int64, token version) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.newest != token {
		e.newest, e.newSince = token, now
	}
}

// age is how long the token has been there, or never where that is not known, or where it
// does not matter: the resource rejects fresh tokens.
func (e *evidence) age(now int64, token version, key uint64) time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	if r := e.resources[key]; e.newest != token || r != nil && (r.bad || r.held > 0) {
		return time.Duration(never)
	}
	return time.Duration(now - e.newSince)
}
