package client

import (
	"context"
	"errors"
	"net/http"
	"time"

	"example.com/tokenactor/manager"
)

// maxSettling is how often a request is sent again with a token that the API may not know
// yet. Waits that grow as those of Credential.Settling end before that.
const maxSettling = 8

var errSettling = errors.New("client: the request was not sent again: its deadline comes before the API need know the new token (Policy.Settle)")

// settling is how long to wait before a request that was rejected with token is sent with
// it again; 0: the rejection counts.
func (t *Transport) settling(req *http.Request, token *manager.Token) time.Duration {
	if s, ok := t.Source.(interface {
		Settling(of manager.Rejection) time.Duration
	}); ok {
		return s.Settling(manager.Rejection{Token: token, Resource: resourceOf(req)})
	}
	return 0
}

// endsWithin reports whether ctx is known to end before the time is over.
func endsWithin(ctx context.Context, d time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return ok && time.Until(deadline) <= d
}

// sleep returns false if ctx ended before.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
