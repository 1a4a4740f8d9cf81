package manager

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"
)

var depth = flag.Int("depth", 0, "how deep TestInterleavings looks: 0 some seconds, 1 a minute, 2 as long as it takes")

// TestInterleavings drives real machines through all interleavings of the worlds
// below, depth first, and prunes states that it has seen. docs/protocol has the
// model that this test ties the code to. In each state it holds that
//
//   - a spent refresh token is only ever presented by a guarded try, and never
//     while somebody has a newer one: no living family is revoked,
//   - no acknowledged login or logout is overwritten,
//   - no answer is dropped that carries the newest refresh token,
//   - each process publishes only forward, and only what is stored or said not to be,
//   - one refresh is under way, whatever the number of processes;
//
// and at the end of each that every caller was answered and all is saved.
func TestInterleavings(t *testing.T) {
	total, begin := 0, time.Now()
	for _, w := range worlds() {
		if w.depth > *depth {
			continue
		}
		t.Run(w.name, func(t *testing.T) { // -run 'TestInterleavings/three_askers' chooses one
			states, broken := explore(&w.rules)
			t.Logf("%8d states", states)
			if broken != "" {
				t.Error(broken)
			}
			total += states
		})
	}
	t.Logf("%d states in %v", total, time.Since(begin).Round(time.Millisecond))
}

// TestNaiveForms switches one rule off at a time, in the test alone. Each must
// make the search find what the rule is there for.
func TestNaiveForms(t *testing.T) {
	for _, n := range []struct {
		naive string
		world rules
		want  string
	}{
		{"no quiet time", rules{start: budget{crash: 1}}, "revoked"},
		{"no mark", rules{start: budget{crash: 1}}, "unguarded"},
		{"retry at once", rules{start: budget{giveUp: 1}}, "unguarded"},
		{"unlock first", rules{}, "revoked"},
		{"no hold", rules{start: budget{fail: 1}}, "revoked"},
		{"no check", rules{leasing: bounded, start: budget{steal: 1}}, "revoked"},
		{"drop the answer", rules{leasing: lossy, start: budget{steal: 1}}, "dropped"},
		{"answered clears the mark", rules{start: budget{trouble: 1}}, "unguarded"},
		{"answered retried at once", rules{start: budget{trouble: 1}}, "revoked"},
		{"refusal binds all askers", rules{askers: [3]uint64{3, 7}, wrong: [3]bool{false, true}}, "living login"},
		{"reader refuses", rules{readers: [3]bool{false, true}}, "declares a living login dead"},
		{"suspicion becomes final", rules{start: budget{odd: 1}}, "declares a living login dead"},
		{"delete", rules{controls: [3]string{"f"}}, "after a logout"},
	} {
		world := n.world
		world.name, world.procs, world.renewals = n.naive, 2, 1
		if _, broken := explore(&world); broken != "" {
			t.Errorf("the world of %q is broken without it: %s", n.naive, broken)
		}
		world = n.world
		world.name, world.procs, world.renewals, world.naive = n.naive, 2, 1, n.naive
		states, broken := explore(&world)
		first, _, _ := strings.Cut(broken, "\n")
		t.Logf("%-24s found after %6d states: %s", n.naive, states, first)
		if !strings.Contains(first, n.want) {
			t.Errorf("%s: got %q, want one with %q", n.naive, broken, n.want)
		}
	}
}

// A search is one walk through a world.
type search struct {
	seen   map[key]struct{}
	buffer []byte
	path   []move
}

// explore walks through all states of a world. It gives their number, and the
// story of the first that is broken.
func explore(r *rules) (states int, broken string) {
	s := search{seen: make(map[key]struct{})}
	defer func() {
		states = len(s.seen)
		if p := recover(); p != nil { // a violation, or a panic of the machine
			broken = fmt.Sprint(p) + "\n" + replay(r, s.path)
		}
	}()
	s.walk(r.universe())
	return
}

// longest bounds a path: one that is longer never ends.
const longest = 400

func (s *search) walk(u *universe) {
	k := keyOf(u, &s.buffer)
	if _, ok := s.seen[k]; ok {
		return
	}
	s.seen[k] = struct{}{}
	if len(s.path) > longest {
		u.fail("it never ends")
	}
	var room [24]move
	moves := u.moves(room[:0])
	goesOn := false
	for _, m := range moves {
		goesOn = goesOn || m.kind < adversity
		v := u.clone()
		s.path = append(s.path, m)
		v.make(m)
		s.walk(v)
		s.path = s.path[:len(s.path)-1]
	}
	if !goesOn {
		u.settled()
	}
}

// replay tells the story of a path, up to where it breaks.
func replay(r *rules, path []move) (story string) {
	var lines []string
	u := r.universe()
	u.trace = &lines
	defer func() {
		_ = recover()
		story = strings.Join(lines, "\n")
	}()
	for _, m := range path {
		u.make(m)
	}
	return
}

type namedWorld struct {
	rules
	depth int
}

// worlds are what TestInterleavings walks through.
func worlds() []namedWorld {
	world := func(depth int, name string, r rules) namedWorld {
		r.name = name
		if r.procs == 0 {
			r.procs = 2
		}
		r.renewals = max(r.renewals, 1)
		return namedWorld{r, depth}
	}
	return []namedWorld{
		world(0, "nothing happens", rules{renewals: 2}),
		world(0, "alone", rules{procs: 1, alone: true, renewals: 2, start: budget{crash: 1, giveUp: 1, drop: 1, fail: 1}}),
		world(0, "alone, logins", rules{procs: 1, alone: true, controls: [3]string{"ifi"}, start: budget{crash: 1, late: 1}}),
		world(0, "lock", rules{start: budget{crash: 1, giveUp: 1, fail: 1}}),
		world(0, "lock, hasty", rules{hasty: true, start: budget{crash: 1, drop: 1, news: 1}}),
		world(0, "lock, failing store", rules{closed: true, start: budget{fail: 1, unclear: 1, late: 1}}),
		world(0, "lock, login", rules{controls: [3]string{"i"}, start: budget{crash: 1}}),
		world(0, "lock, logout, login", rules{controls: [3]string{"fi"}, start: budget{unclear: 1}}),
		world(0, "lock, rival logins", rules{controls: [3]string{"i", "f"}, start: budget{fail: 1}}),
		world(0, "lock, sent unmarked", rules{unmarked: true, start: budget{giveUp: 1, fail: 1, blind: 1}}),
		world(0, "lease", rules{leasing: bounded, start: budget{steal: 1, crash: 1}}),
		world(0, "lease, lost answer", rules{leasing: bounded, start: budget{steal: 1, giveUp: 1}}),
		world(0, "lease, login", rules{leasing: bounded, controls: [3]string{"i"}, start: budget{steal: 1, fail: 1}}),
		world(0, "lossy lease", rules{leasing: lossy, start: budget{steal: 1, giveUp: 1}}),
		world(0, "three, lease", rules{procs: 3, leasing: bounded, start: budget{steal: 1}}),

		world(0, "alone, trouble", rules{procs: 1, alone: true, renewals: 2, start: budget{trouble: 1, crash: 1, odd: 1}}),
		world(0, "lock, trouble", rules{start: budget{trouble: 1, crash: 1}}),
		world(0, "lock, odd refusals", rules{start: budget{odd: 2}}),
		world(0, "lock, wrong asker", rules{askers: [3]uint64{3, 7}, wrong: [3]bool{false, true}, start: budget{giveUp: 1}}),
		world(0, "lock, reader", rules{readers: [3]bool{false, true}, controls: [3]string{"", "i"}, start: budget{crash: 1, news: 1}}),
		world(0, "alone, retry", rules{procs: 1, alone: true, controls: [3]string{"rfr"}, start: budget{trouble: 1, crash: 1}}),
		world(0, "lock, retry", rules{controls: [3]string{"r"}, start: budget{giveUp: 1, odd: 1}}),

		world(1, "alone, all", rules{procs: 1, alone: true, renewals: 2, start: budget{crash: 2, giveUp: 2, drop: 1, fail: 1, late: 1}}),
		world(1, "alone, logins, all", rules{procs: 1, alone: true, controls: [3]string{"ifi"}, start: budget{crash: 1, giveUp: 1, unclear: 1, late: 1}}),
		world(1, "lock, twice", rules{renewals: 2, start: budget{crash: 1, giveUp: 1, fail: 1}}),
		world(1, "lock, two crashes", rules{start: budget{crash: 2, giveUp: 1, drop: 1}}),
		world(1, "lock, login, news", rules{controls: [3]string{"i"}, start: budget{crash: 1, unclear: 1, news: 1}}),
		world(1, "lock, logins", rules{controls: [3]string{"if"}, start: budget{crash: 1, giveUp: 1, fail: 1}}),
		world(1, "lock, rivals, late", rules{controls: [3]string{"i", "i"}, start: budget{fail: 1, late: 1}}),
		world(1, "lock, late write", rules{closed: true, start: budget{crash: 1, giveUp: 1, late: 1}}),
		world(1, "lease, all", rules{leasing: bounded, start: budget{steal: 1, crash: 1, giveUp: 1, fail: 1}}),
		world(1, "lease, logins", rules{leasing: bounded, controls: [3]string{"fi"}, start: budget{steal: 1, fail: 1}}),
		world(1, "lossy lease, all", rules{leasing: lossy, start: budget{steal: 1, crash: 1, giveUp: 1, fail: 1}}),
		world(1, "three, lock", rules{procs: 3, start: budget{crash: 1, fail: 1}}),

		world(1, "alone, trouble, all", rules{procs: 1, alone: true, renewals: 2, start: budget{trouble: 2, crash: 1, giveUp: 1, odd: 1, fail: 1}}),
		world(1, "lock, trouble, odd", rules{start: budget{trouble: 1, giveUp: 1, odd: 1}}),
		world(1, "lock, trouble, store", rules{closed: true, start: budget{trouble: 1, fail: 1, late: 1}}),
		world(1, "lock, odd, crash", rules{start: budget{odd: 1, crash: 1}}),
		world(1, "lock, wrong asker, all", rules{askers: [3]uint64{3, 7}, wrong: [3]bool{false, true}, start: budget{giveUp: 1, trouble: 1, crash: 1}}),
		world(1, "lock, reader, all", rules{readers: [3]bool{false, true}, controls: [3]string{"", "fi"}, start: budget{crash: 1, fail: 1, news: 1}}),
		world(1, "lock, retries", rules{controls: [3]string{"r", "r"}, start: budget{giveUp: 1}}),
		world(1, "lock, retry, logout", rules{controls: [3]string{"r", "f"}, start: budget{trouble: 1}}),
		world(1, "lease, trouble", rules{leasing: bounded, start: budget{steal: 1, trouble: 1, crash: 1}}),

		world(2, "lock, trouble, all", rules{renewals: 2, start: budget{trouble: 2, crash: 1, giveUp: 1, fail: 1, odd: 1}}),
		world(2, "lock, troubles, crash", rules{start: budget{trouble: 2, crash: 1, odd: 1}}),
		world(2, "lock, retries, odd", rules{controls: [3]string{"r", "r"}, start: budget{giveUp: 1, odd: 1}}),
		world(2, "lock, wrong asker, twice", rules{askers: [3]uint64{3, 7}, wrong: [3]bool{false, true}, renewals: 2, start: budget{giveUp: 1, trouble: 1, crash: 1, fail: 1}}),
		world(2, "lock, odd, all", rules{start: budget{odd: 3, crash: 1}}),
		world(2, "three askers", rules{procs: 3, askers: [3]uint64{3, 7, 9}, wrong: [3]bool{false, true, true}, start: budget{giveUp: 1, trouble: 1, crash: 1}}),
		world(2, "three, reader, logins", rules{procs: 3, readers: [3]bool{false, false, true}, controls: [3]string{"", "", "fi"}, start: budget{giveUp: 1, trouble: 1, news: 1}}),
		world(2, "lease, retries, logins", rules{leasing: bounded, controls: [3]string{"r", "fi"}, start: budget{steal: 1, trouble: 1, odd: 1}}),
		world(2, "lock, retries, store", rules{closed: true, controls: [3]string{"frr", "i"}, start: budget{fail: 1, unclear: 1, trouble: 1}}),
		world(2, "lock, all, twice", rules{renewals: 2, start: budget{crash: 2, giveUp: 1, drop: 1, fail: 1}}),
		world(2, "lock, failing, all", rules{closed: true, start: budget{crash: 1, giveUp: 1, fail: 2, unclear: 1, late: 1}}),
		world(2, "lock, unmarked rivals", rules{unmarked: true, renewals: 2, controls: [3]string{"i", "i"}, start: budget{fail: 2, blind: 1}}),
		world(2, "lock, rivals, all", rules{closed: true, controls: [3]string{"if", "i"}, start: budget{crash: 1, fail: 1, late: 1}}),
		world(2, "lease, logins, all", rules{leasing: bounded, controls: [3]string{"fi", "i"}, start: budget{steal: 1, crash: 1, giveUp: 1, fail: 1}}),
		world(2, "lossy lease, twice", rules{leasing: lossy, renewals: 2, start: budget{steal: 2, crash: 1, giveUp: 1}}),
		world(2, "three, lease, crash", rules{procs: 3, leasing: bounded, start: budget{crash: 1, steal: 1}}),
		world(2, "three, all", rules{procs: 3, start: budget{crash: 1, giveUp: 1, fail: 1}}),
	}
}
