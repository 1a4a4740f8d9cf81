package manager

import "golang.org/x/sync/semaphore"

// A line is where a credential waits for a slot.
type line uint8

const (
	nowhere line = iota // it does not wait
	urgent              // callers wait
	ahead               // an early renewal
)

// A place is a credential's part in slots.
type place struct {
	line line
	held bool // it has a slot
}

// slots are what so many credentials may do at once: so many in all, and so many of
// one group. Callers in need come before early renewals, and groups take turns, so
// that one authorization server that hangs cannot delay the others.
type slots struct {
	all      *semaphore.Weighted
	perGroup int
	place    func(*flight) *place
	groups   map[string]*group
	lines    [2][]*group // those with somebody waiting and a slot of their own free
}

type group struct {
	limit   int
	busy    int
	waiting [2][]*Credential
	listed  [2]bool
}

func newSlots(all, perGroup int, place func(*flight) *place) slots {
	return slots{all: semaphore.NewWeighted(int64(all)), perGroup: perGroup, place: place, groups: make(map[string]*group)}
}

// group gives the group of a credential. The nameless one has no bound of its own.
func (s *slots) group(c *Credential) *group {
	name := c.machine.set.group
	g := s.groups[name]
	if g == nil {
		g = &group{limit: s.perGroup}
		if name == "" {
			g.limit = int(^uint(0) >> 1)
		}
		s.groups[name] = g
	}
	return g
}

// queue puts c into a line. One that moves from ahead to urgent leaves an entry
// behind, which next passes over.
func (s *slots) queue(c *Credential, f *flight, early bool) {
	l := urgent
	if early {
		l = ahead
	}
	s.place(f).line = l
	g := s.group(c)
	g.waiting[l-urgent] = append(g.waiting[l-urgent], c)
	s.list(g)
}

// list gives a group its place in the lines it has somebody in.
func (s *slots) list(g *group) {
	for l := range g.waiting {
		if len(g.waiting[l]) > 0 && g.busy < g.limit && !g.listed[l] {
			g.listed[l] = true
			s.lines[l] = append(s.lines[l], g)
		}
	}
}

// next gives a slot to the next in line; nil: there is no slot or nobody.
func (s *slots) next(flights map[*Credential]*flight) *Credential {
	if len(s.lines[0])+len(s.lines[1]) == 0 || !s.all.TryAcquire(1) {
		return nil
	}
	for l := range s.lines {
		for len(s.lines[l]) > 0 {
			g := s.lines[l][0]
			s.lines[l] = s.lines[l][1:]
			g.listed[l] = false
			if g.busy >= g.limit {
				continue // free lists it again
			}
			if c := s.pop(g, urgent+line(l), flights); c != nil {
				g.busy++
				s.list(g)
				return c
			}
		}
	}
	s.all.Release(1)
	return nil
}

// pop gives the slot to the first who still waits in that line.
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
	held := s.place(f).held
	*s.place(f) = place{}
	if !held {
		return
	}
	g := s.group(c)
	g.busy--
	s.all.Release(1)
	s.list(g)
}

// dispatch gives free slots to those who wait for one, and calls the Locker for
// those whose turn it is.
func (a *actor) dispatch() {
	for {
		if c := a.slots.next(a.flights); c != nil {
			a.leases.free(c, a.flights[c]) // others may begin to wait
			a.step(c, granted{})
		} else if c := a.leases.next(a.flights); c != nil {
			a.call(c, a.flights[c].wait)
		} else {
			return
		}
	}
}
