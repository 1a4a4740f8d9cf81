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
	maxRetryAfter  = time.Hour
	maxMarkLimit   = time.Hour       // so long a refresh may be under way at most, for those who wait for its end
	slowAnswer     = 5 * time.Second // an answer that took longer may be a gateway's, which gave up waiting
	maxWarning     = 7 * 24 * time.Hour
	permanentWait  = 5 * time.Minute
	permanentMost  = time.Hour
	shortestLife   = 10 * time.Millisecond // less than that left on arrival is expired, or renewing would be a loop
	lastMoment     = 2 * time.Second       // a token that all get until its end is waited for so long
	quietMargin    = time.Second
	leaseMargin    = time.Second
	maxSave        = 10 * time.Second // Config.SaveLimit by default, and of what must end though it was switched off
	bornFresh      = 5 * time.Second  // rejected younger than that: perhaps not the token's fault
	fruitlessLimit = 2                // replays with new tokens in a row that were rejected: not the token's fault
	quickLimit     = 3                // so many of those in a row: certainly not
)

// skew is the allowance before expiry for a token of that life. Of a life that is shorter
// than the operator had in mind at least three quarters can be used.
func (p *Policy) skew(life time.Duration) time.Duration {
	life = max(life, 0)
	return min(orDefault(p.Skew, min(maxSkew, life/10)), life/4)
}

// bound gives a token the life that the policy names where it has none, and at most the
// longest that the policy believes. It sets Expiry, counted from begin.
func (p *Policy) bound(t *Token, begin time.Time) {
	if t.ExpiresIn == 0 {
		t.ExpiresIn = max(p.DefaultLife, 0)
	}
	if p.MaxLife > 0 && (t.ExpiresIn == 0 || t.ExpiresIn > p.MaxLife) {
		t.ExpiresIn = p.MaxLife
	}
	if t.ExpiresIn != 0 {
		t.Expiry = begin.Add(t.ExpiresIn)
	}
}

// markLimit is how long a refresh may be under way, for a mark and for a lease.
func (p *Policy) markLimit() time.Duration { return min(p.limit(), maxMarkLimit) }

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

// sum adds durations, and ends at the longest or the shortest there is.
func sum(durations ...time.Duration) (total time.Duration) {
	for _, d := range durations {
		switch next := total + d; {
		case d > 0 && next < total:
			return math.MaxInt64
		case d < 0 && next > total:
			return math.MinInt64
		default:
			total = next
		}
	}
	return total
}

// double is first × 2^(n-1), at most limit.
func double(first, limit time.Duration, n int) time.Duration {
	for ; n > 1 && first < limit; n-- {
		if first > limit/2 {
			return limit
		}
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
