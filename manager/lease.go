package manager

import (
	"context"
	"time"
)

// lock waits for the lease on a goroutine of its own.
func (a *actor) lock(c *Credential) {
	ctx, cancel := context.WithCancel(context.Background())
	a.locks++
	serial := a.locks
	f := a.flight(c)
	f.ending, f.serial = cancel, serial
	a.wg.Go(func() {
		lease, err := guarded(func() (Lease, error) { return a.config.locker().Lock(ctx, c.machine.name) })
		select {
		case a.mailbox <- envelope{c, locked{serial, lease, err}, nil}:
		case <-a.donec:
			a.giveUp(lease, err)
		}
	})
}

// held takes over the lease, unless nobody waits for it any more.
func (a *actor) held(c *Credential, m locked) bool {
	f := a.flight(c)
	if f.ending == nil || f.serial != m.serial {
		a.wg.Go(func() { a.giveUp(m.lease, m.err) })
		return false
	}
	f.ending()
	f.ending = nil
	if m.err == nil {
		f.lease = m.lease
	}
	return true
}

// unlock gives the lease up in the background, or stops waiting for it.
func (a *actor) unlock(c *Credential) {
	f := a.flight(c)
	if f.ending != nil {
		f.ending()
		f.ending = nil
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
	ctx, cancel := a.clock.WithTimeout(context.Background(), positive(a.config.saveLimit(), 10*time.Second))
	defer cancel()
	_, err = guarded(func() (struct{}, error) { return struct{}{}, lease.Unlock(ctx) })
	if err != nil {
		a.config.logger().Warn("manager: a lease could not be given up; it ends by itself", "error", err)
	}
}
