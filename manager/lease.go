package manager

import (
	"context"
	"fmt"
	"time"
)

// leasesPerSlot bounds the leases that are waited for, or held until their refresh has
// its slot: four for each slot, so that slots do not stand idle. A Locker may take a
// goroutine, a connection, a thread or a file for each, and of a million credentials
// thousands may be due at the same moment. Who holds a lease keeps all others from it.
const leasesPerSlot = 4

// waitTurn is how long one waits for a lease before another may: behind a sibling that
// was stopped with many of them, no other credential is to wait for long.
const waitTurn = 5 * time.Second

// A wait is that of one credential for its lease.
type wait struct {
	limit  time.Duration // of the calls of the Locker together
	spent  time.Duration // in those that have ended
	line   line
	begun  int64              // machine time of the call under way
	cancel context.CancelFunc // of that call; nil: it waits in line
}

// lock waits for the lease: first for a place among those who do.
func (a *actor) lock(c *Credential, e lock) {
	f := a.flight(c)
	if f.wait == nil {
		f.wait = &wait{limit: e.limit}
	}
	f.wait.line = lineOf(e.early, e.suspected)
	if f.wait.cancel == nil {
		a.leases.queue(c, f, f.wait.line)
	}
}

// call asks the Locker on a goroutine of its own.
func (a *actor) call(c *Credential, w *wait) {
	ctx, cancel := a.clock.WithTimeout(context.Background(), min(w.limit-w.spent, waitTurn))
	w.begun, w.cancel = a.time.now, cancel
	a.wg.Go(func() {
		lease, err := guarded(func() (Lease, error) { return a.config.locker().Lock(ctx, c.machine.name) })
		answer := locked{wait: w, lease: lease, err: err, ended: err != nil && ctx.Err() != nil}
		select {
		case a.mailbox <- envelope{c, answer, nil}:
		case <-a.donec:
			a.giveUp(lease, err)
		}
	})
}

// held takes over the lease, unless nobody waits for it any more. One whose turn is
// over waits for its next, which is nothing for the machine to know.
func (a *actor) held(c *Credential, m *locked) bool {
	w, f := m.wait, a.flights[c]
	w.cancel()
	w.cancel = nil
	w.spent += time.Duration(a.time.now - w.begun)
	switch {
	case f == nil || f.wait != w:
		a.wg.Go(func() { a.giveUp(m.lease, m.err) })
		return false
	case m.ended && w.spent < w.limit:
		a.leases.free(c, f)
		a.leases.queue(c, f, w.line)
		return false
	}
	f.wait = nil
	switch {
	case m.err == nil:
		f.lease = m.lease
		return true
	case m.ended:
		m.err = fmt.Errorf("manager: no lease within %s: %w", w.limit, m.err)
	}
	a.leases.free(c, f)
	return true
}

// unlock gives the lease up in the background, or stops waiting for it.
func (a *actor) unlock(c *Credential) {
	f := a.flight(c)
	a.leases.free(c, f)
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
