package tenure

import (
	"context"
	"time"
)

// renew extends all leases each third of their life, ends those whose time is up,
// and returns when none is left.
func (k *Keeper) renew() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	next := Now() // the renewal, but for a lease that comes sooner to its end
	pause := k.life / 3
	for {
		leases, end := k.sweep()
		if leases == nil {
			return
		}
		timer.Reset(min(max(pause-next.Since(), 0), end))
		select {
		case <-timer.C:
		case <-k.wakec:
			continue
		case <-k.ended.Done():
			return
		}
		if next.Since() < pause {
			continue // a lease has come to its end
		}
		next, pause = Now(), k.life/3
		if !k.extend(leases, end) {
			pause = k.life / 15 // the engine is away: four more tries before the end
		}
	}
}

// sweep drops the leases whose time is up, and says when the next one's is. Nil:
// there are none, and the goroutine ends.
func (k *Keeper) sweep() (leases []*lease, end time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	end = k.life
	for claim, l := range k.leases {
		left := l.Remaining()
		if left == 0 {
			l.lose()
			delete(k.leases, claim)
			continue
		}
		end = min(end, left)
		leases = append(leases, l)
	}
	if leases == nil {
		k.running = false
	}
	return leases, end
}

// extend renews leases in one round trip, and reports whether the engine answered: in
// time, for the first of them ends in end, and has to be told so.
func (k *Keeper) extend(leases []*lease, end time.Duration) bool {
	claims := make([]Claim, len(leases))
	for i, l := range leases {
		claims[i] = l.claim
	}
	ctx, cancel := context.WithTimeout(k.ended, min(k.life/3, end))
	defer cancel()
	sent := Now()
	still, err := k.engine.Extend(ctx, claims, k.life)
	if err != nil || len(still) != len(leases) {
		return false
	}
	for i, l := range leases {
		if still[i] {
			l.extended(sent)
			continue
		}
		l.lose()
		k.mu.Lock()
		delete(k.leases, l.claim)
		k.mu.Unlock()
	}
	return true
}
