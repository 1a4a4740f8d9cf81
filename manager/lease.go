package manager

import (
	"context"
	"fmt"
	"time"
)

// maxWaits is how many leases may be waited for at once. A Locker may take a
// goroutine, a connection or a thread for each, and of a million credentials
// thousands may be due at the same moment.
const maxWaits = 256

// A wait is that of one credential for its lease.
type wait struct {
	of     *Credential
	limit  time.Duration
	cancel context.CancelFunc // of the call of the Locker; nil: it still waits in line
}

// waits are the calls of the Locker under way, and who waits in line to be one.
type waits struct {
	busy  int
	lines [2][]*wait // as those for slots
}

// lock waits for the lease, in line or on a goroutine of its own.
func (a *actor) lock(c *Credential, e lock) {
	f := a.flight(c)
	l := urgent
	if e.early {
		l = ahead
	}
	if f.wait != nil && f.wait.cancel != nil {
		return // it does not go faster
	}
	// One that was in the other line leaves an entry there, which seek passes over.
	f.wait = &wait{of: c, limit: e.limit}
	a.waits.lines[l] = append(a.waits.lines[l], f.wait)
	a.seek()
}

// seek calls the Locker for those who are first in line.
func (a *actor) seek() {
	for l := range a.waits.lines {
		line := &a.waits.lines[l]
		for len(*line) > 0 && a.waits.busy < maxWaits {
			w := (*line)[0]
			(*line)[0] = nil
			*line = (*line)[1:]
			if f := a.flights[w.of]; f != nil && f.wait == w {
				a.call(w)
			}
		}
	}
}

func (a *actor) call(w *wait) {
	var ctx context.Context
	ctx, w.cancel = a.clock.WithTimeout(context.Background(), w.limit)
	a.waits.busy++
	a.wg.Go(func() {
		lease, err := guarded(func() (Lease, error) { return a.config.locker().Lock(ctx, w.of.machine.name) })
		if err != nil && ctx.Err() != nil {
			err = fmt.Errorf("manager: no lease within %s: %w", w.limit, err)
		}
		select {
		case a.mailbox <- envelope{w.of, locked{w, lease, err}, nil}:
		case <-a.donec:
			a.giveUp(lease, err)
		}
	})
}

// held takes over the lease, unless nobody waits for it any more.
func (a *actor) held(c *Credential, m locked) bool {
	m.wait.cancel()
	a.waits.busy--
	a.seek()
	f := a.flight(c)
	if f.wait != m.wait {
		a.wg.Go(func() { a.giveUp(m.lease, m.err) })
		return false
	}
	f.wait = nil
	if m.err == nil {
		f.lease = m.lease
	}
	return true
}

// unlock gives the lease up in the background, or stops waiting for it.
func (a *actor) unlock(c *Credential) {
	f := a.flight(c)
	if w := f.wait; w != nil {
		f.wait = nil
		if w.cancel != nil {
			w.cancel()
		}
	}
	if lease := f.lease; lease != nil {
		f.lease = nil
		a.wg.Go(func() { a.giveUp(lease, nil) })
	}
}

func (a *actor) giveUp(lease Lease, err error) {
	if lease == nil || err != nil {
		return
	}
	ctx, cancel := a.clock.WithTimeout(context.Background(), positive(a.config.saveLimit(), maxSave))
	defer cancel()
	_, err = guarded(func() (struct{}, error) { return struct{}{}, lease.Unlock(ctx) })
	if err != nil {
		a.config.logger().Warn("manager: a lease could not be given up; it ends by itself", "error", err)
	}
}
