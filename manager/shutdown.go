package manager

import (
	"context"
	"errors"
)

// shutdown asks the loop to end and waits for it and for its goroutines.
func (a *actor) shutdown(ctx context.Context) error {
	a.once.Do(func() { close(a.stopc) })
	select {
	case <-a.donec:
	case <-ctx.Done():
		a.abort.Do(func() { close(a.abortc) })
		<-a.donec
	}
	idlec := make(chan struct{})
	go func() {
		a.wg.Wait()
		close(idlec)
	}()
	select {
	case <-idlec:
	case <-ctx.Done():
		select {
		case <-idlec:
		default:
			return errors.Join(a.err, ctx.Err())
		}
	}
	return a.err
}

// stop tells every credential with something under way to finish it.
func (a *actor) stop() {
	a.stopping = true
	var busy []*Credential
	a.registry.each(func(c *Credential) {
		if f := a.flights[c]; c.machine.work != nil || f != nil && f.revocations.busy > 0 {
			busy = append(busy, c)
		}
	})
	for _, c := range busy {
		a.leaving[c] = struct{}{}
		a.step(c, leave{ErrClosed})
	}
}

// see lets go of a credential that has left.
func (a *actor) see(c *Credential) {
	if _, ok := a.leaving[c]; !ok {
		return
	}
	gone, err := c.machine.gone()
	if f := a.flights[c]; !gone || f != nil && f.revocations.busy > 0 {
		return
	}
	delete(a.leaving, c)
	a.deadlines.set(c.number, never)
	if err != nil {
		a.unsaved = append(a.unsaved, &NameError{c.machine.name, err})
	}
	a.drop(c)
}

// abandon names what is under way and ends without it.
func (a *actor) abandon() {
	for c := range a.leaving {
		err := ErrNotSaved
		if gone, _ := c.machine.gone(); gone || c.machine.phase == sending { // gone: its Revoker has not returned
			err = ErrTimeLimit
		}
		a.unsaved = append(a.unsaved, &NameError{c.machine.name, err})
	}
	clear(a.leaving)
}

// end hides every token, so that readers come and hear ErrClosed.
func (a *actor) end() {
	for _, f := range a.flights {
		if f.cancel != nil {
			f.cancel()
		}
		if f.wait != nil && f.wait.cancel != nil {
			f.wait.cancel()
		}
		f.revocations.end()
	}
	a.registry.each(func(c *Credential) { c.published.Store(nil) })
	a.herald.close()
	a.err = errors.Join(a.unsaved...)
}
