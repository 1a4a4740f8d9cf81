package manager

import (
	"math"
	"time"
)

// never is the deadline of what has none.
const never = math.MaxInt64

// Bounds of design section 6 that no Policy changes.
const (
	maxSkew        = 10 * time.Second
	maxWindow      = 5 * time.Minute
	maxJitter      = time.Hour
	maxRetryAfter  = 10 * time.Minute
	maxWarning     = 7 * 24 * time.Hour
	permanentWait  = 5 * time.Minute
	shortestLife   = 10 * time.Millisecond // less than that left on arrival is expired, or renewing would be a loop
	quietMargin    = time.Second
	leaseMargin    = time.Second
	maxSave        = 10 * time.Second // Config.SaveLimit by default, and of what must end though it was switched off
	bornFresh      = 5 * time.Second  // rejected younger than that: perhaps not the token's fault
	fruitlessLimit = 2                // replays with new tokens in a row that were rejected: not the token's fault
	quickLimit     = 3                // so many of those in a row: certainly not
	doubtLimit     = 3                // refusals for an unknown reason that are tried again
)

// skew is the allowance before expiry for a token of that life.
func (p *Policy) skew(life time.Duration) time.Duration {
	return orDefault(p.Skew, min(maxSkew, max(life, 0)/10))
}

// window is how long before expiry a token of that life is due; ok is false
// where nothing is renewed in the background.
func (p *Policy) window(life time.Duration) (d time.Duration, ok bool) {
	if p.Window < 0 {
		return 0, false
	}
	return min(positive(p.Window, min(life/4, maxWindow)), life/2), true
}

// early is the jitter for a renewal due when left is left of the life: a share
// of it drawn by dice.
func (p *Policy) early(left time.Duration, dice uint64) time.Duration {
	bound := min(time.Duration(float64(left)*p.jitter()), maxJitter)
	return portion(bound, dice)
}

// retry is the wait after that many failures in a row: exponential, with full
// jitter, so that a fleet does not come back as one.
func (p *Policy) retry(failures int, dice uint64) time.Duration {
	return portion(double(p.backoff(), p.backoffMax(), failures), dice)
}

// double is first × 2^(n-1), at most limit.
func double(first, limit time.Duration, n int) time.Duration {
	for ; n > 1 && first < limit; n-- {
		first *= 2
	}
	return min(first, limit)
}

// portion gives dice's share of d, in whole milliseconds where d has any, since
// nobody needs a trace with nanoseconds.
func portion(d time.Duration, dice uint64) time.Duration {
	if d <= 0 {
		return 0
	}
	d = time.Duration(float64(d) * (float64(dice>>11) / (1 << 53)))
	if d > time.Millisecond {
		d = d.Truncate(time.Millisecond)
	}
	return d
}

// times are a token's deadlines in machine time.
type times struct {
	usable int64 // expiry - skew: from then on it is not used
	due    int64 // its renewal begins
}

// schedule computes the deadlines of a token whose expiry is in left and which
// lives for life in all. refreshIn, where positive, is when its server wants to
// be asked again, counted from now.
func (p *Policy) schedule(at moment, left, life, refreshIn time.Duration) times {
	t := times{usable: never, due: never}
	expiry := after(at.now, left)
	if expiry != never {
		t.usable = expiry - int64(p.skew(life))
	}
	window, ok := p.window(life)
	opens := expiry - int64(window)
	switch {
	case !ok:
		return t
	case refreshIn > 0 && refreshIn < left:
		opens, window = after(at.now, refreshIn), left-refreshIn
	case expiry == never:
		return t
	}
	// Never into the past, or a server that wants to be asked soon is asked without end.
	window = min(window, time.Duration(opens-at.now))
	t.due = min(opens-int64(p.early(window, at.dice)), t.usable)
	return t
}

// after is now + d, and never where that overflows.
func after(now int64, d time.Duration) int64 {
	if d > 0 && now > never-int64(d) {
		return never
	}
	return now + int64(d)
}
