package manager

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
)

// refresh calls the Refresher on a goroutine of its own. The context is the
// actor's: no caller's end ends it.
func (a *actor) refresh(c *Credential, e refresh) {
	ctx, cancel := context.WithCancel(c.refreshContext())
	f := a.flight(c)
	f.cancel = cancel
	a.slots.sent(c, f, a.time.now)
	a.stats.inFlight.Add(1)
	prev := Token{}
	if e.prev != nil {
		prev = *e.prev
	}
	a.wg.Go(func() {
		var token Token
		var err error
		defer func() { // also when the Refresher ended its goroutine
			a.stats.inFlight.Add(-1)
			a.post(envelope{c, refreshed{e.attempt, &token, err}, nil})
		}()
		err = errGoexit
		token, err = guarded(func() (Token, error) { return c.refresher.Refresh(ctx, c.machine.name, prev) })
		if err == nil {
			token.prepare()
		}
	})
}

// landed takes back what a refresh held: the Refresher has returned.
func (a *actor) landed(c *Credential) {
	f := a.flight(c)
	if f.cancel != nil {
		f.cancel()
		f.cancel = nil
	}
	a.slots.free(c, f)
}

// guarded makes a panic of the user's code an error.
func guarded[T any](f func() (T, error)) (value T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &panicError{p, debug.Stack()}
		}
	}()
	return f()
}

var errGoexit = errors.New("manager: the Refresher ended its goroutine")

// A panicError is a panic of a Refresher, a Store or a hook. Its stack goes to
// the log.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("manager: panic in user code: %v", e.value) }
