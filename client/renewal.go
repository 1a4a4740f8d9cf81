package client

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"example.com/tokenactor/manager"
)

var errNoToken = errors.New("client: Transport.Source returned neither token nor error")

// renew asks the Source for another token than the rejected one. The rejection
// counts even if ctx has ended: the server did say 401, and where each caller is
// out of time when it hears that, no one else would tell the Source.
func (t *Transport) renew(req *http.Request, rejected *manager.Token) (next *manager.Token, err error) {
	ctx := &renewal{Context: req.Context(), begun: time.Now()}
	if w, ok := t.Source.(Witness); ok {
		if err := w.Judge(ctx.Context, manager.Rejection{Token: rejected, Resource: resourceOf(req)}); err != nil {
			return nil, err
		}
	}
	next, err = t.Source.Renew(ctx, rejected)
	if err == nil && next == nil {
		err = errNoToken
	}
	return next, err
}

// reportTime is how long a Source may take from the call of Renew to its wait.
const reportTime = time.Second

// A renewal is the context of a Renew: that of the request, but not ended before
// the Source waits for its end, by Done. Sources look at Err first and do nothing
// where it has ended, which would lose the rejection; here they note it and go on to
// their wait, which ends at once. That needs no goroutine that would outlive the
// request, as context.WithoutCancel would. A Source that never calls Done and
// looks at Err alone sees the end after reportTime.
type renewal struct {
	context.Context
	begun  time.Time
	waited atomic.Bool
}

func (r *renewal) Done() <-chan struct{} {
	r.waited.Store(true)
	return r.Context.Done()
}

func (r *renewal) Err() error {
	err := r.Context.Err()
	if err != nil && !r.waited.Load() && time.Since(r.begun) < reportTime {
		return nil
	}
	return err
}
