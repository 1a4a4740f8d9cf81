package tenure

import "time"

// An instant is a moment by both clocks of the machine. While it sleeps, one of
// them stands still; and the other may be set.
type instant struct{ at time.Time }

func now() instant { return instant{time.Now()} }

// since is the time since then by the clock that ran faster.
func (i instant) since() time.Duration {
	now := time.Now()
	return max(now.Sub(i.at), now.Round(0).Sub(i.at.Round(0)))
}
