package manager

import (
	"slices"
	"time"
)

// What a group does about trouble at its token endpoint.
const (
	firstHold   = time.Second // doubled by each further failure
	longestHold = time.Minute

	// probeWait is how long the others wait for the first attempt after a hold.
	probeWait = 5 * time.Second

	// longestAlone bounds the hold while only one credential was told of trouble: it may
	// be about that one's account, as a quota is.
	longestAlone = 3 * time.Second

	// longestWait bounds a Retry-After that at least two credentials were told.
	longestWait = time.Hour

	// slowPace is the time between two attempts of suspected logins of a group. Each
	// that succeeds halves it, down to fastPace, and each that does not doubles it
	// again. So a million of them cost a server ten requests a second, and all are
	// tried within an hour once it accepts them.
	slowPace = 100 * time.Millisecond
	fastPace = time.Millisecond

	// gateMemory is how long a gate is kept after the last that it was told. A
	// suspected login tries again once a day at least.
	gateMemory = 24 * time.Hour
)

// A gate is what the credentials of one group know of their token endpoint. Trouble that
// one of them is told of holds back the others, so that a thousand do not ask once
// each. After the hold one of them asks, and the others follow if that succeeds.
//
// It is a pure function of what it is told, as the machine is. A nil gate knows nothing.
type gate struct {
	apart bool // its credentials name no group and may have many endpoints: trouble is not shared

	// Trouble.
	failures int // that held back the group, in a row
	until    int64
	spread   time.Duration
	err      error
	class    Class
	probe    int32 // who asks for all; 0: none
	speaker  int32 // whose failures these were, or several
	waiter   int32 // who was told by Retry-After to wait, or several; 0: none
	opened   int64 // when the endpoint last gave a token or a verdict

	// The last few credentials that were in trouble while others were served. In a small
	// group an hour may pass before the next success shows it again, and until then
	// each of their failures would hold back the others.
	outliers [8]int32
	replaced uint8 // the next of them that gives way to another

	// Suspected logins.
	suspects int64 // none of them begins before that
	pace     time.Duration
	healed   int64

	last int64 // when it was last told something to remember
}

// several stands for more than one credential.
const several = -1

// outlook returns what the moment of a credential carries.
func (g *gate) outlook(now int64) outlook {
	if g == nil {
		return outlook{}
	}
	o := outlook{healed: g.healed}
	if g.until > now {
		o.until, o.spread, o.err, o.class = g.until, g.spread, g.err, g.class
	}
	if g.suspects > now {
		o.suspects = g.suspects
	}
	return o
}

// begin notes that a credential begins a refresh. The first after a hold is the probe:
// the others wait for what it is told, but not for long, since it may be told nothing.
func (g *gate) begin(now int64, who int32, suspected bool) {
	if g.failures > 0 && now >= g.until {
		g.until, g.probe = after(now, probeWait), who
	}
	if suspected {
		g.suspects = after(max(now, g.suspects), positive(g.pace, slowPace))
		g.last = now
	}
}

// hear takes in how a refresh ended.
func (g *gate) hear(now int64, dice uint64, who int32, t told) {
	switch {
	case t.troubled():
		g.trouble(now, dice, who, t)
	case t.class != ClassUnknown:
		g.open(now)
	}
	switch pace := positive(g.pace, slowPace); {
	case t.healed:
		g.healed, g.pace, g.last = now, max(pace/2, fastPace), now
	case t.class == ClassSuspected:
		g.pace, g.last = min(2*pace, slowPace), now
	}
}

// troubled reports whether the endpoint answered, or could not be reached, and said
// nothing about the credential. A time to wait is such an answer too, unless it comes
// with a verdict.
func (t *told) troubled() bool {
	switch t.class {
	case ClassAnswered, ClassNotSent:
		return true
	case ClassUnknown, ClassSuspected:
		return t.after > 0
	}
	return false
}

// trouble holds the group back. Refreshes that were under way when the hold began fail
// because of the same trouble, and do not make the hold longer.
func (g *gate) trouble(now int64, dice uint64, who int32, t told) {
	if g.apart {
		return
	}
	g.last = now
	if g.outlier(who, t.failed) {
		return
	}
	probe := g.probe != 0 && who == g.probe
	if now < g.until && !probe {
		return
	}
	g.failures++
	g.err, g.class, g.probe = t.err, t.class, 0
	g.speaker = joined(g.speaker, who)

	hold := firstHold
	for n := 1; n < g.failures && hold < longestHold; n++ {
		hold = min(2*hold, longestHold)
	}
	hold = hold/2 + time.Duration(dice%uint64(hold/2+1))
	if g.speaker != several {
		hold = min(hold, longestAlone)
	}
	if t.after > 0 {
		if g.waiter == 0 || probe {
			g.waiter = joined(g.waiter, who)
		}
		hold = min(t.after, longestWait)
		if g.waiter != several {
			hold = min(hold, longestAlone)
		}
		hold = max(hold, firstHold)
	}
	g.until = after(now, hold)
	g.spread = min(max(hold, firstHold), longestHold)
}

// outlier reports whether the trouble is that of one credential alone: the endpoint gave
// another a token or a verdict since the failure before, or did so earlier in the same
// row of failures.
func (g *gate) outlier(who int32, failed int64) bool {
	i := slices.Index(g.outliers[:], who)
	switch {
	case failed == 0:
		if i >= 0 {
			g.outliers[i] = 0 // a new row of failures
		}
		return false
	case i < 0 && g.opened > failed:
		g.outliers[g.replaced] = who
		g.replaced = (g.replaced + 1) % uint8(len(g.outliers))
		return true
	}
	return i >= 0
}

// joined returns who or, where there was another, several.
func joined(before, who int32) int32 {
	if before == 0 || before == who {
		return who
	}
	return several
}

// open lets all go on: the endpoint does its work.
func (g *gate) open(now int64) {
	g.failures, g.until, g.spread, g.err, g.class = 0, 0, 0, nil, ""
	g.probe, g.speaker, g.waiter = 0, 0, 0
	g.opened = now
}

// blank reports whether the gate can be dropped.
func (g *gate) blank(now int64) bool {
	return now > after(g.last, gateMemory) && now >= g.until && now >= g.suspects
}

// gates are those of the groups that have something to remember: none, as long as all
// goes well.
type gates struct {
	of   map[groupKey]*gate
	kept int // when blank ones were last dropped
}

// outlook returns that of c's group.
func (s *gates) outlook(c *Credential, now int64) outlook {
	if len(s.of) == 0 {
		return outlook{} // spares most steps of most programs the key
	}
	return s.of[c.group()].outlook(now)
}

// begin carries out the effect begun of c.
func (s *gates) begin(c *Credential, now int64, e begun) {
	if g := s.gate(c, now, e.suspected); g != nil {
		g.begin(now, c.number, e.suspected)
	}
}

// hear carries out the effect told of c.
func (s *gates) hear(c *Credential, now int64, dice uint64, e told) {
	key := c.group()
	if g := s.gate(c, now, e.healed || e.troubled() && !key.nameless()); g != nil {
		g.hear(now, dice, c.number, e)
	}
}

// gate returns that of c's group, made if there is none and create says so.
func (s *gates) gate(c *Credential, now int64, create bool) *gate {
	if len(s.of) == 0 && !create {
		return nil
	}
	key := c.group()
	g := s.of[key]
	if g != nil || !create {
		return g
	}
	if s.of == nil {
		s.of = make(map[groupKey]*gate)
	}
	s.sweep(now)
	g = &gate{apart: key.nameless()}
	s.of[key] = g
	return g
}

// sweep drops blank gates, once they may be half of all.
func (s *gates) sweep(now int64) {
	if len(s.of) < 2*s.kept+16 {
		return
	}
	for key, g := range s.of {
		if g.blank(now) {
			delete(s.of, key)
		}
	}
	s.kept = len(s.of)
}
