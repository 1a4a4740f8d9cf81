package persist

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"
)

// A gate lets one process at a time at the file of a store. bbolt's own lock
// would do that too, but is waited for in steps of 50 ms, and by chance.
//
// Whoever wants in waits for its turn first and, when it has that, alone for the
// lock. So one that comes back at once does not get in before those who wait: by
// then somebody else has the turn.
type gate struct {
	path       string // of the store, for errors
	turn, lock lockFile
}

func (g *gate) open(folder string) (err error) {
	if g.turn, err = openLock(filepath.Join(folder, "turn")); err == nil {
		g.lock, err = openLock(filepath.Join(folder, "file"))
	}
	return err
}

func (g *gate) close() error {
	return errors.Join(g.turn.unlock(), g.lock.unlock())
}

// enter waits until the file is ours, while ctx and patience last. As long as
// others come and go before us, patience does.
func (g *gate) enter(ctx context.Context, patience time.Duration) error {
	if err := g.wait(ctx, patience, g.turn, time.Millisecond, 16*time.Millisecond); err != nil {
		return err
	}
	// Nobody else waits for this one, so it may be asked for often: a session is
	// shorter than the pause that one gets from a timer.
	for range 50 {
		if got, err := g.lock.try(true); got || err != nil {
			break
		}
		nap()
	}
	err := g.wait(ctx, patience, g.lock, time.Millisecond, 2*time.Millisecond)
	return errors.Join(err, g.turn.free())
}

func (g *gate) leave() error { return g.lock.free() }

func (g *gate) wait(ctx context.Context, patience time.Duration, f lockFile, first, most time.Duration) error {
	var (
		last  string
		since time.Time
	)
	err := poll(ctx, first, most, func() (bool, error) {
		got, err := f.try(true)
		if got || err != nil {
			return got, err
		}
		if now := g.lock.holder() + g.turn.holder(); now != last {
			last, since = now, time.Now()
		} else if time.Since(since) >= patience {
			return false, errStuck
		}
		return false, nil
	})
	switch {
	case err == nil:
		f.sign()
		return nil
	case err == errStuck:
		return fmt.Errorf("%w: %s: %s does not let go of it: is it stopped?", ErrLocked, g.path, g.holder())
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %s: the last to have it was %s: %w", ErrLocked, g.path, g.holder(), err)
	}
	return fmt.Errorf("persist: %s: %w", f.Name(), err)
}

// errStuck ends the wait for a holder that does not move.
var errStuck = errors.New("stuck")

// holder is who keeps others waiting: whoever has the lock or, if nobody has,
// whoever has the turn.
func (g *gate) holder() string {
	if free, _ := g.lock.try(true); free {
		_ = g.lock.free()
		return g.turn.holder()
	}
	return g.lock.holder()
}
