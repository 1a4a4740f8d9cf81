package tenure

import "time"

// An Instant is a moment by both clocks of the machine. While it sleeps, one of
// them stands still; and the other may be set.
type Instant struct{ at time.Time }

// Now is this moment.
func Now() Instant { return Instant{time.Now()} }

// Since is the time since then by the clock that ran faster.
func (i Instant) Since() time.Duration {
	now := time.Now()
	return max(now.Sub(i.at), now.Round(0).Sub(i.at.Round(0)))
}
