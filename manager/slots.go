package manager

import (
	"container/list"
	"reflect"
	"time"

	"golang.org/x/sync/semaphore"
)

// lendAfter is how long a refresh keeps others from its slot. Most servers answer
// within a second. One that hangs would otherwise hold all the slots it has until
// Policy.Limit, half a minute by default, while callers of other servers wait.
const lendAfter = 5 * time.Second

// A line is where a credential waits for a slot.
type line uint8

const (
	nowhere   line       = iota // it does not wait
	urgent                      // callers wait
	ahead                       // an early renewal
	unlikely                    // a suspected login: it will probably be refused again
	lineCount = iota - 1        // without nowhere
)

// lineOf returns the line of a renewal.
func lineOf(early, suspected bool) line {
	switch {
	case suspected:
		return unlikely
	case early:
		return ahead
	}
	return urgent
}

// A place is a credential's part in slots.
type place struct {
	line line
	held bool          // it has a slot
	lent bool          // which does not count against the bound of all any more
	loan *list.Element // in slots.running; nil: it has no slot, has not sent yet, or lent
}

// slots are what so many credentials may do at once: so many in all, and so many of
// one group. Callers in need come before early renewals, those before suspected logins,
// and groups take turns, so that one authorization server that hangs cannot delay
// the others.
//
// Credentials that name no group may belong to any number of servers. Each Refresher
// is a group of its own there, but a program may have thousands, so that all of them
// together leave some slots to those that name theirs.
type slots struct {
	all      *semaphore.Weighted
	perGroup int
	place    func(*flight) *place
	groups   map[groupKey]*group // those with a slot, or with a credential that waits
	turns    uint64              // counts the entries of groups into lines
	lines    [lineCount]struct{ named, nameless []*group }

	nameless, maxNameless int

	// Refreshes in flight, the longest first, and how many have lent their slot.
	running       list.List
	lent, maxLent int
}

// A loan is a refresh in flight that may lend its slot.
type loan struct {
	begun int64
	place *place
	group *group
}

type group struct {
	key     groupKey
	busy    int
	waiting [lineCount][]*Credential
	turn    [lineCount]uint64 // when it came into that line; 0: it is not in it
}

// A groupKey tells groups apart. Without a name it is the Refresher itself: a pointer,
// the code of a function (the closures of one literal cannot be told from each other
// by anything else), or the type of anything else.
type groupKey struct {
	name      string
	code      uintptr
	refresher any
}

// group returns the key of the credential's group. It is worked out when needed: a
// million credentials would otherwise keep it for the second in which they refresh.
func (c *Credential) group() groupKey {
	if name := c.machine.set.group; name != "" {
		return groupKey{name: name}
	}
	r := c.refresher
	if v, ok := r.(*veiled); ok {
		r = v.Refresher
	}
	switch v := reflect.ValueOf(r); v.Kind() {
	case reflect.Func:
		return groupKey{code: v.Pointer()}
	case reflect.Pointer:
		return groupKey{refresher: r}
	}
	return groupKey{refresher: reflect.TypeOf(r)}
}

func (k *groupKey) nameless() bool { return k.name == "" }

// newSlots returns slots of which a quarter at most is kept for groups with a name:
// enough for one of them, unless PerGroup says that one may have nearly all.
func newSlots(all, perGroup int, place func(*flight) *place) slots {
	return slots{
		all:         semaphore.NewWeighted(int64(all)),
		perGroup:    perGroup,
		place:       place,
		groups:      make(map[groupKey]*group),
		maxNameless: max(all-min(perGroup, all/4), 1),
		maxLent:     all,
	}
}

func (s *slots) group(c *Credential) *group {
	key := c.group()
	g := s.groups[key]
	if g == nil {
		g = &group{key: key}
		s.groups[key] = g
	}
	return g
}

// drop forgets a group that has nothing in it.
func (s *slots) drop(g *group) {
	if g.busy > 0 {
		return
	}
	for l := range g.waiting {
		if len(g.waiting[l]) > 0 || g.turn[l] > 0 {
			return
		}
	}
	delete(s.groups, g.key)
}

// queue puts c into a line. One that moves from one line to another leaves an entry
// behind, which next passes over.
func (s *slots) queue(c *Credential, f *flight, l line) {
	s.place(f).line = l
	g := s.group(c)
	g.waiting[l-urgent] = append(g.waiting[l-urgent], c)
	s.list(g)
}

// list puts a group into the lines in which its credentials wait, at the end.
func (s *slots) list(g *group) {
	for l := range g.waiting {
		if len(g.waiting[l]) == 0 || g.busy >= s.perGroup || g.turn[l] > 0 {
			continue
		}
		s.turns++
		g.turn[l] = s.turns
		to := &s.lines[l].named
		if g.key.nameless() {
			to = &s.lines[l].nameless
		}
		*to = append(*to, g)
	}
}

// next gives a slot to the next in line and returns it; nil: there is no slot, or no
// credential waits.
func (s *slots) next(flights map[*Credential]*flight, now int64) *Credential {
	for l := range s.lines {
		for g := s.first(l, now); g != nil; g = s.first(l, now) {
			var c *Credential
			if g.busy < s.perGroup { // else free puts it into the line again
				c = s.pop(g, urgent+line(l), flights)
			}
			if c != nil {
				g.busy++
				s.list(g)
				return c
			}
			s.release(g)
			s.drop(g)
		}
	}
	return nil
}

// first takes out of a line the group that has been in it for the longest time, of
// those for which there is a slot, and takes the slot.
func (s *slots) first(l int, now int64) *group {
	line := &s.lines[l]
	from := &line.named
	if len(line.nameless) > 0 && (len(line.named) == 0 || line.nameless[0].turn[l] < line.named[0].turn[l]) && s.acquire(true, now) {
		from = &line.nameless
	} else if len(line.named) == 0 || !s.acquire(false, now) {
		return nil
	}
	g := (*from)[0]
	*from = (*from)[1:]
	g.turn[l] = 0
	return g
}

// acquire takes a slot, and has long refreshes lend theirs where there is none.
func (s *slots) acquire(nameless bool, now int64) bool {
	for {
		if (!nameless || s.nameless < s.maxNameless) && s.all.TryAcquire(1) {
			if nameless {
				s.nameless++
			}
			return true
		}
		if s.lendAt() > now {
			return false
		}
		s.lend()
	}
}

// release gives back what acquire took.
func (s *slots) release(g *group) {
	s.all.Release(1)
	if g.key.nameless() {
		s.nameless--
	}
}

// sent notes that the refresh for which f holds a slot has begun.
func (s *slots) sent(c *Credential, f *flight, now int64) {
	if p := s.place(f); p.held && p.loan == nil && !p.lent {
		p.loan = s.running.PushBack(&loan{now, p, s.group(c)})
	}
}

// lendAt returns when the oldest refresh in flight may lend its slot, never if none may.
func (s *slots) lendAt() int64 {
	oldest := s.running.Front()
	if oldest == nil || s.lent >= s.maxLent {
		return never
	}
	return after(oldest.Value.(*loan).begun, lendAfter)
}

// lend takes the oldest refresh in flight out of the bounds of all, and of those
// without a name. Its group goes on counting it: that is the one which hangs.
func (s *slots) lend() {
	oldest := s.running.Remove(s.running.Front()).(*loan)
	oldest.place.loan, oldest.place.lent = nil, true
	s.lent++
	s.release(oldest.group)
}

// wakeAt returns when next may have a slot again without a refresh having ended; never
// if no credential waits for one.
func (s *slots) wakeAt() int64 {
	for l := range s.lines {
		if len(s.lines[l].named)+len(s.lines[l].nameless) > 0 {
			return s.lendAt()
		}
	}
	return never
}

// pop gives the slot to the first that still waits in that line.
func (s *slots) pop(g *group, l line, flights map[*Credential]*flight) *Credential {
	waiting := &g.waiting[l-urgent]
	for len(*waiting) > 0 {
		c := (*waiting)[0]
		*waiting = (*waiting)[1:]
		if f := flights[c]; f != nil && s.place(f).line == l {
			*s.place(f) = place{held: true}
			return c
		}
	}
	*waiting = nil
	return nil
}

// free gives back the slot of c, or its place in a line, if it has one.
func (s *slots) free(c *Credential, f *flight) {
	p := s.place(f)
	before := *p
	*p = place{}
	if !before.held {
		return
	}
	if before.loan != nil {
		s.running.Remove(before.loan)
	}
	g := s.group(c)
	g.busy--
	if before.lent {
		s.lent--
	} else {
		s.release(g)
	}
	s.list(g)
	s.drop(g)
}

// dispatch gives free slots to those who wait for one, and calls the Locker for
// those whose turn it is.
func (a *actor) dispatch() {
	now := a.time.ahead(a.lead)
	for {
		if c := a.slots.next(a.flights, now); c != nil {
			a.leases.free(c, a.flights[c]) // others may begin to wait
			a.step(c, granted{})
		} else if c := a.leases.next(a.flights, now); c != nil {
			a.call(c, a.flights[c].wait)
		} else {
			return
		}
	}
}
