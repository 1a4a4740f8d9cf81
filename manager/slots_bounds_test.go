package manager

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

type idle struct{ _ int }

func (*idle) Refresh(context.Context, string, Token) (Token, error) { return Token{}, nil }

// Whatever credentials do: no bound is passed, no slot stands idle while one waits that
// may have it, callers in need come first, and nothing is left at the end.
func TestSlotsInvariants(t *testing.T) {
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 1))
		all := 1 + random.IntN(8)
		perGroup := 1 + random.IntN(all)
		s := newSlots(all, perGroup, func(f *flight) *place { return &f.slot })
		flights := make(map[*Credential]*flight)
		var cs []*Credential
		for i := range 40 {
			c := &Credential{machine: newMachine(fmt.Sprint(i), &settings{world: &world{}})}
			switch group := i % 8; {
			case group < 3:
				c.machine.set.group = fmt.Sprint(group)
			case group < 5 && len(cs) > 8:
				c.refresher = cs[group].refresher
			default:
				c.refresher = &idle{}
			}
			cs = append(cs, c)
			flights[c] = &flight{}
		}
		now := at(0)
		// free reports whether c might have a slot, without one that would be lent.
		free := func(c *Credential) bool {
			busy, group, nameless := 0, 0, 0
			for _, other := range cs {
				p := flights[other].slot
				if p.held && other.group() == c.group() {
					group++
				}
				if !p.held || p.lent {
					continue
				}
				busy++
				if other.machine.set.group == "" {
					nameless++
				}
			}
			return busy < all && group < perGroup && (c.machine.set.group != "" || nameless < max(all-min(perGroup, all/4), 1))
		}
		drain := func() {
			for {
				before := make(map[*Credential]line)
				for _, c := range cs {
					before[c] = flights[c].slot.line
				}
				eligible := nowhere
				for _, c := range cs {
					if l := before[c]; l != nowhere && (eligible == nowhere || l < eligible) && free(c) {
						eligible = l
					}
				}
				c := s.next(flights, now)
				switch {
				case c == nil && eligible != nowhere:
					t.Fatalf("seed %d: a slot stands idle while one waits that may have it", seed)
				case c == nil:
					return
				case eligible != nowhere && before[c] > eligible:
					t.Fatalf("seed %d: one of line %d before one of line %d", seed, before[c], eligible)
				}
			}
		}
		check := func() {
			t.Helper()
			busy, lent, nameless, groups := 0, 0, 0, make(map[groupKey]int)
			for _, c := range cs {
				p := flights[c].slot
				switch {
				case p.held && p.line != nowhere:
					t.Fatalf("seed %d: one waits for the slot that it has", seed)
				case p.held:
					groups[c.group()]++
				default:
					continue
				}
				switch {
				case p.lent:
					lent++
				case c.machine.set.group == "":
					nameless++
					busy++
				default:
					busy++
				}
			}
			if busy > all || lent > all || lent != s.lent || nameless != s.nameless || nameless > s.maxNameless {
				t.Fatalf("seed %d: %d busy, %d lent (noted: %d), %d nameless (noted: %d); of %d", seed, busy, lent, s.lent, nameless, s.nameless, all)
			}
			for key, n := range groups {
				if n > perGroup {
					t.Fatalf("seed %d: %d slots of group %v, want %d at most", seed, n, key, perGroup)
				}
			}
		}
		for range 400 {
			c := cs[random.IntN(len(cs))]
			f := flights[c]
			switch random.IntN(5) {
			case 0, 1:
				if !f.slot.held {
					s.queue(c, f, urgent+line(random.IntN(lineCount)))
				}
			case 2:
				s.sent(c, f, now)
			case 3:
				s.free(c, f)
			case 4:
				now += random.Int64N(int64(4 * time.Second))
			}
			if at := s.wakeAt(); at != never && at > now && random.IntN(4) == 0 {
				now = at
			}
			drain()
			check()
			if s.wakeAt() <= now {
				t.Fatalf("seed %d: the loop would wake for nothing", seed)
			}
		}
		for range 2 {
			for _, c := range cs {
				s.free(c, flights[c])
			}
			drain()
		}
		check()
		if len(s.groups) > 0 || s.running.Len() > 0 || s.lent+s.nameless > 0 || !s.all.TryAcquire(int64(all)) {
			t.Fatalf("seed %d: at the end %d groups, %d in flight, %d lent and %d nameless are left", seed, len(s.groups), s.running.Len(), s.lent, s.nameless)
		}
	}
}

// Groups take turns in the order in which they came, with a name or without.
func TestSlotsInTurn(t *testing.T) {
	s := newSlots(1, 1, func(f *flight) *place { return &f.slot })
	flights := make(map[*Credential]*flight)
	for i, group := range []string{"a", "", "b", "a", "", "b"} {
		c := &Credential{machine: newMachine(fmt.Sprint(i), &settings{world: &world{}, group: group}), refresher: &idle{}}
		flights[c] = &flight{}
		s.queue(c, flights[c], urgent)
	}
	for _, want := range []string{"0", "1", "2", "4", "3", "5"} { // 4 is a group of its own
		c := s.next(flights, 1)
		if c == nil || c.machine.name != want {
			t.Fatalf("next: got %v, want %s", c, want)
		}
		s.free(c, flights[c])
	}
	if c := s.next(flights, 1); c != nil || len(s.groups) > 0 {
		t.Errorf("at the end: got %v and %d groups, want none", c, len(s.groups))
	}
}
