package manager

import (
	"log/slog"
	"time"

	"github.com/benbjohnson/clock"
)

// Config is what a Manager is made of. The zero value works: in memory, with the
// defaults named at each field.
type Config struct {
	// Store keeps snapshots. Nil: tokens live in memory only. The caller
	// closes it, after the Manager.
	Store Store

	// Locker makes leases where several processes share the Store. Nil: the
	// one that the Store offers by a method Locker() Locker, else this
	// process is alone.
	Locker Locker

	// Policy is that of credentials that are managed without one of their own.
	Policy Policy

	// Refreshes bounds the refreshes in flight, PerGroup those of one group
	// (see Policy.Group). 0: 64 and 16. A refresh that has taken 5 s lends its
	// slot to others, but not to those of its own group; as many again as
	// Refreshes may have lent theirs at once. Credentials that name no group
	// leave PerGroup slots, at most a quarter, to those that do.
	Refreshes, PerGroup int

	// SaveLimit is how long a save may take before it counts as failed.
	// 0: 10 s; negative: as long as it takes.
	SaveLimit time.Duration

	// Heartbeat is how often the loop looks at the clocks while a token with
	// an expiry is published, to notice that the machine slept. 0: 1 s;
	// negative: never.
	Heartbeat time.Duration

	// Clock is where time comes from. Nil: the real one.
	Clock clock.Clock

	// OnEvent is told what happens, on a goroutine of the Manager's, one
	// event at a time, in order. One that blocks delays other events only;
	// past 1,024 waiting ones events are dropped and counted (Stats).
	OnEvent func(Event)

	// Logger gets the events too: warnings and errors at their levels, the
	// rest at debug. Nil: slog.Default().
	Logger *slog.Logger
}

func (c *Config) clock() clock.Clock {
	if c.Clock == nil {
		return clock.New()
	}
	return c.Clock
}

func (c *Config) locker() Locker {
	if c.Locker != nil {
		return c.Locker
	}
	if s, ok := c.Store.(interface{ Locker() Locker }); ok {
		return s.Locker()
	}
	return nil
}

func (c *Config) refreshes() int { return positive(c.Refreshes, 64) }
func (c *Config) perGroup() int  { return min(positive(c.PerGroup, 16), c.refreshes()) }

func (c *Config) saveLimit() time.Duration { return orDefault(c.SaveLimit, maxSave) }
func (c *Config) heartbeat() time.Duration { return orDefault(c.Heartbeat, time.Second) }

func (c *Config) logger() *slog.Logger {
	if c.Logger == nil {
		return slog.Default()
	}
	return c.Logger
}

// Policy says when and how hard a credential is renewed. The zero value is the
// default named at each field; a negative duration switches a thing off.
type Policy struct {
	// Group names the authorization server, so that one that hangs takes its
	// share of Config.Refreshes and no more, and trouble that it tells one
	// credential of holds back the others. "": what the Refresher names if it
	// is a Grouper. Else the Refresher is a group by itself: a pointer alone,
	// a function with all that come from the same code, anything else with
	// all of its type; and since such a group may have several servers, the
	// trouble of one credential is none of the others'.
	Group string

	// Skew is the allowance before expiry from which a token is no longer
	// used. 0: 10 s, or a tenth of lives under 100 s. At most a quarter of the life.
	Skew time.Duration

	// Window is how long before expiry renewal begins. 0: a quarter of the
	// life, at most 5 min: a token of one hour is renewed from minute 55 on.
	// Negative: nothing is renewed in the background.
	Window time.Duration

	// Jitter is the share of the life left, at the opening of the window, by
	// which a renewal may be early, so that equal expiries spread; at most
	// 1 h. 0: 0.1. Negative: none.
	Jitter float64

	// Limit is how long one refresh may take. 0: 30 s. Never off: a refresh
	// without end would hold its credential for ever.
	Limit time.Duration

	// DefaultLife is the life of tokens whose answer names none. 0: that of the
	// token before, and without one no end. MaxLife is the longest life that is
	// believed, counted from the refresh; a token that is said to live longer,
	// or without an end, is renewed as if it lived that long. 0: any.
	DefaultLife, MaxLife time.Duration

	// Backoff is the wait after the first failure, doubled by each further
	// one up to BackoffMax, with full jitter. 0: 1 s and 60 s.
	Backoff, BackoffMax time.Duration

	// Patience is how long a caller without a usable token waits through
	// back-off before it gets the error. 0: it gets it at once. Negative: as
	// long as its context lets it.
	Patience time.Duration

	// Idle stops the background renewal of a token that nobody read for that
	// long. Its next reader gets it, and has it renewed, while it is usable,
	// and waits for a refresh after that. What other processes write meanwhile
	// is read then too. 0 or negative: never.
	Idle time.Duration

	// Settle is how long the API may take to know a new token: a server that answers
	// from replicas, say. A 401 to a token that this process got less long ago does not
	// blame it: the client decorator waits, a sixteenth of that and then ever longer,
	// and sends the request again with the same token (Credential.Settling). A token
	// from the store counts as new at the start. It takes some 300 bytes for each
	// credential. 0: none.
	Settle time.Duration

	// FailClosed keeps a token from callers until it is stored, and a refresh
	// token from the wire until its mark is. False: availability first, and
	// an event says so.
	FailClosed bool
}

func (p *Policy) limit() time.Duration {
	if p.Limit <= 0 {
		return 30 * time.Second
	}
	return p.Limit
}

func (p *Policy) jitter() float64 {
	switch {
	case p.Jitter < 0:
		return 0
	case p.Jitter == 0:
		return 0.1
	}
	return min(p.Jitter, 1)
}

func (p *Policy) backoff() time.Duration { return positive(p.Backoff, time.Second) }
func (p *Policy) backoffMax() time.Duration {
	return max(positive(p.BackoffMax, time.Minute), p.backoff())
}

// orDefault gives the default for 0 and 0 for negative, which is off.
func orDefault(d, byDefault time.Duration) time.Duration {
	switch {
	case d == 0:
		return byDefault
	case d < 0:
		return 0
	}
	return d
}

// positive gives the default for anything that is not positive.
func positive[N int | time.Duration](n, byDefault N) N {
	if n <= 0 {
		return byDefault
	}
	return n
}
