package tokentest

import (
	"net/http"
	"sync/atomic"
)

// Stats count what happened since New. Each number is exact; together they are not of one
// instant while calls are under way.
type Stats struct {
	TokenCalls int64 // calls that reached the token endpoint, whatever became of them
	MostAtOnce int64 // of these, the most under way at one moment

	Refreshes    int64 // refresh tokens accepted, whether or not the answer arrived
	ClientGrants int64 // access tokens granted by client_credentials, JWT bearer and token exchange
	Logins       int64 // calls of Login, and families that other grants began
	Reuses       int64 // spent refresh tokens presented
	AnswersLost  int64 // Refreshes and ClientGrants whose answer did not arrive whole

	FamiliesRevoked int64 // by reuse, RevokeFamilies, or the revocation endpoint

	APICalls     int64 // requests that reached the API, however they ended
	Accepted     int64 // of these, answered 200
	Unauthorized int64 // answered 401
	Forbidden    int64 // answered 403
}

type counters struct {
	seq atomic.Int64

	tokenCalls, underWay, mostAtOnce            atomic.Int64
	refreshes, clientGrants, logins, reuses     atomic.Int64
	answersLost, familiesRevoked                atomic.Int64
	apiCalls, accepted, unauthorized, forbidden atomic.Int64
}

// Stats are the numbers of now.
func (s *Server) Stats() Stats {
	c := &s.stats
	return Stats{
		TokenCalls:      c.tokenCalls.Load(),
		MostAtOnce:      c.mostAtOnce.Load(),
		Refreshes:       c.refreshes.Load(),
		ClientGrants:    c.clientGrants.Load(),
		Logins:          c.logins.Load(),
		Reuses:          c.reuses.Load(),
		AnswersLost:     c.answersLost.Load(),
		FamiliesRevoked: c.familiesRevoked.Load(),
		APICalls:        c.apiCalls.Load(),
		Accepted:        c.accepted.Load(),
		Unauthorized:    c.unauthorized.Load(),
		Forbidden:       c.forbidden.Load(),
	}
}

func (c *counters) enterToken() {
	c.tokenCalls.Add(1)
	now := c.underWay.Add(1)
	for most := c.mostAtOnce.Load(); now > most; most = c.mostAtOnce.Load() {
		if c.mostAtOnce.CompareAndSwap(most, now) {
			return
		}
	}
}

func (c *counters) leaveToken() { c.underWay.Add(-1) }

func (c *counters) judged(status int) {
	switch status {
	case http.StatusOK:
		c.accepted.Add(1)
	case http.StatusUnauthorized:
		c.unauthorized.Add(1)
	case http.StatusForbidden:
		c.forbidden.Add(1)
	}
}
