package manager

import (
	"context"
	"errors"
	"time"
)

// scanBatch is how many snapshots go to the loop at once: enough that the
// mailbox costs nothing, few enough that the first are usable at once.
const scanBatch = 512

// A finding is a stored snapshot and whose it is.
type finding struct {
	of       *Credential
	snapshot *Snapshot
}

// Scan loads the snapshots of all credentials managed by now in one pass over
// the store, which for many is faster than to load each at its first use. Their
// tokens are usable as they come and are renewed from then on; a credential that
// was used before is left as it is, one that is not stored is new as before.
//
// The error is ctx.Err(), ErrClosed, or that of the Store; a damaged record
// (NameError) spoils no other.
func (m *Manager) Scan(ctx context.Context) error {
	store := m.actor.config.Store
	if store == nil {
		return nil
	}
	var batch []finding
	flush := func() error {
		select {
		case m.actor.mailbox <- envelope{message: scanned{batch}}:
			batch = nil
			return nil
		case <-m.actor.donec:
			return ErrClosed
		}
	}
	_, err := guarded(func() (struct{}, error) {
		return struct{}{}, store.Scan(ctx, func(name string, s Snapshot) error {
			c := m.actor.registry.lookup(name)
			if c == nil {
				return nil
			}
			s.Token.prepare()
			if batch = append(batch, finding{c, &s}); len(batch) < scanBatch {
				return nil
			}
			return flush()
		})
	})
	if len(batch) > 0 && !errors.Is(err, ErrClosed) {
		err = errors.Join(err, flush())
	}
	select {
	case <-m.actor.donec: // the mailbox may have taken what nobody reads
		return ErrClosed
	default:
		return err
	}
}

// watch listens to the news of other processes until the loop ends.
func (m *Manager) watch(w Watcher) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-m.actor.donec:
			cancel()
		case <-ctx.Done():
		}
	}()
	for failures := 1; ; failures++ {
		_, err := guarded(func() (struct{}, error) {
			return struct{}{}, w.Watch(ctx, func(name string, revision uint64) {
				failures = 1
				if c := m.actor.registry.lookup(name); c != nil {
					m.actor.post(envelope{c, news{revision}, nil})
				}
			})
		})
		if ctx.Err() != nil {
			return
		}
		m.actor.config.logger().Warn("manager: the Store's news broke off; listening again", "error", err)
		timer := m.actor.clock.Timer(double(time.Second, time.Minute, failures))
		select {
		case <-timer.C:
		case <-m.actor.donec:
			timer.Stop()
			return
		}
	}
}
