package manager

import "golang.org/x/sync/semaphore"

// A line is where a credential waits for a slot.
type line uint8

const (
	urgent  line = iota // callers wait
	ahead               // an early renewal
	nowhere             // it does not wait
)

// slots are the refreshes that may be in flight at once: so many in all, and so
// many of one group. Callers in need come before early renewals, and groups take
// turns, so that one authorization server that hangs cannot delay the others.
type slots struct {
	all      *semaphore.Weighted
	perGroup int
	groups   map[string]*group
	lines    [2][]*group // those with somebody waiting and a slot of their own free
}

type group struct {
	limit   int
	busy    int
	waiting [2][]*Credential
	listed  [2]bool
}

func newSlots(all, perGroup int) slots {
	return slots{all: semaphore.NewWeighted(int64(all)), perGroup: perGroup, groups: make(map[string]*group)}
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
	f.line = urgent
	if early {
		f.line = ahead
	}
	g := s.group(c)
	g.waiting[f.line] = append(g.waiting[f.line], c)
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

// next takes a slot for the next in line; nil: there is no slot or nobody.
func (s *slots) next(flights map[*Credential]*flight) *Credential {
	if len(s.lines[urgent])+len(s.lines[ahead]) == 0 || !s.all.TryAcquire(1) {
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
			if c, f := g.pop(line(l), flights); c != nil {
				g.busy++
				f.slot = true
				s.list(g)
				return c
			}
		}
	}
	s.all.Release(1)
	return nil
}

// pop takes the first who still waits in that line.
func (g *group) pop(l line, flights map[*Credential]*flight) (*Credential, *flight) {
	for len(g.waiting[l]) > 0 {
		c := g.waiting[l][0]
		g.waiting[l] = g.waiting[l][1:]
		if f := flights[c]; f != nil && f.line == l {
			f.line = nowhere
			return c, f
		}
	}
	g.waiting[l] = nil
	return nil, nil
}

// free gives back the slot of c, if it holds one.
func (s *slots) free(c *Credential, f *flight) {
	if !f.slot {
		return
	}
	f.slot = false
	g := s.group(c)
	g.busy--
	s.all.Release(1)
	s.list(g)
}

// dispatch gives free slots to those who wait for one.
func (a *actor) dispatch() {
	for {
		c := a.slots.next(a.flights)
		if c == nil {
			return
		}
		a.step(c, granted{})
	}
}
