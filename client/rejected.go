package client

import (
	"net/http"
	"time"
)

// InvalidToken is the default of Transport.Rejected: a 401 rejects the token
// unless a challenge blames something else that no new token would mend, and
// none says invalid_token. So a bare 401 is a rejection, and insufficient_scope
// (RFC 6750 section 3.1), a DPoP nonce or proof (RFC 9449), a login that is
// too weak or too old (RFC 9470), and one that lacks claims (insufficient_claims of the
// Microsoft identity platform) are not. Call it from a rule of your own that
// adds to it.
func InvalidToken(resp *http.Response) bool {
	if resp.StatusCode != http.StatusUnauthorized {
		return false
	}
	rejected := true
	for _, c := range parseChallenges(resp.Header["Www-Authenticate"]) {
		switch c.params["error"] {
		case "invalid_token":
			return true
		case "insufficient_scope", "use_dpop_nonce", "invalid_dpop_proof", "insufficient_user_authentication", "insufficient_claims":
			rejected = false
		}
	}
	return rejected
}

// RejectedBody makes a rule for Transport.Rejected from a function that looks at
// the status and at up to limit bytes of the body, for an API that says "expired"
// in its own way. limit 0: 64 KiB. The body is put back whole, read errors
// included. rejected may be called from several goroutines at once and must not
// keep body.
//
// The response is held until limit bytes or its end have come, a second at most: then
// rejected judges what is there. So an API that also streams events wants a rule that
// lets those pass first.
func RejectedBody(limit int64, rejected func(status int, body []byte) bool) func(*http.Response) bool {
	if limit <= 0 {
		limit = aheadLimit
	}
	return func(resp *http.Response) bool {
		if resp.StatusCode == http.StatusSwitchingProtocols {
			return false // its body is the connection, to be written as well
		}
		return rejected(resp.StatusCode, peek(resp, limit))
	}
}

// peek returns what comes of the body within aheadTime, up to limit bytes, and puts it
// back. A body that ends within them is closed, which frees its connection.
func peek(resp *http.Response, limit int64) []byte {
	a := readAhead(resp, limit)
	if a == nil {
		return nil
	}
	patience := time.NewTimer(aheadTime)
	defer patience.Stop()
	select {
	case <-a.donec:
	case <-patience.C:
	}
	a.giveBack()
	a.mu.Lock()
	defer a.mu.Unlock()
	n := min(len(a.head), a.limit)
	return a.head[:n:n]
}
