package tenure

import (
	"context"
	"sync"
	"time"
)

// A lease is held from when it was taken or renewed last.
type lease struct {
	keeper *Keeper
	claim  Claim
	lostc  chan struct{}
	once   sync.Once // lostc

	mu      sync.Mutex
	renewed Instant
}

// Remaining is the time for which the lease is surely held.
func (l *lease) Remaining() time.Duration {
	if l.isLost() {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(l.keeper.safe()-l.renewed.Since(), 0)
}

// Lost is closed when the lease is no longer held.
func (l *lease) Lost() <-chan struct{} { return l.lostc }

// Unlock gives the lease up.
func (l *lease) Unlock(ctx context.Context) error {
	k := l.keeper
	k.mu.Lock()
	delete(k.leases, l.claim)
	k.wake()
	k.mu.Unlock()
	l.lose()
	return k.engine.Free(ctx, l.claim)
}

func (l *lease) lose() { l.once.Do(func() { close(l.lostc) }) }

func (l *lease) isLost() bool {
	select {
	case <-l.lostc:
		return true
	default:
		return false
	}
}

func (l *lease) extended(sent Instant) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.renewed = sent
}
