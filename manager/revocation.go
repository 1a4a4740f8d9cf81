package manager

import "context"

// maxRevocations is how many calls of Revokers may be under way at once: a program
// may log a hundred thousand tenants out, and one server would have it all.
const maxRevocations = 16

// revocations are the calls of the Revoker for one credential.
type revocations struct {
	busy int
	ends []context.CancelFunc // of their contexts
}

// revoke calls the Revoker, in its turn, on a goroutine of its own.
func (a *actor) revoke(c *Credential, token *Token) {
	ctx, end := context.WithCancel(c.refreshContext())
	r := &a.flight(c).revocations
	r.busy++
	r.ends = append(r.ends, end)
	a.wg.Go(func() {
		select {
		case a.revoking <- struct{}{}:
		case <-ctx.Done():
			return // nobody listens any more
		}
		limited, cancel := a.clock.WithTimeout(ctx, c.machine.set.policy.limit())
		err := errGoexit
		defer func() { // also when the Revoker ended its goroutine
			cancel()
			<-a.revoking
			a.post(envelope{c, revoked{err}, nil})
		}()
		_, err = guarded(func() (struct{}, error) {
			return struct{}{}, c.revoker().Revoke(limited, c.machine.name, *token)
		})
	})
}

// returned takes note that a call has returned.
func (r *revocations) returned() {
	if r.busy--; r.busy == 0 {
		r.end()
	}
}

// end cancels what is under way.
func (r *revocations) end() {
	for _, end := range r.ends {
		end()
	}
	r.ends = nil
}

// refreshContext is what a call of the Refresher gets: no caller's, and a client
// that authorizes requests with c knows it.
func (c *Credential) refreshContext() context.Context {
	return context.WithValue(context.Background(), refreshingKey{}, refreshing{c})
}

// revoker gives the Refresher as a Revoker; settings.revoke says that it is one.
func (c *Credential) revoker() Revoker {
	r := c.refresher
	if v, ok := r.(*veiled); ok {
		r = v.Refresher
	}
	return r.(Revoker)
}
