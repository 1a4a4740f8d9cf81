package manager

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

var million = flag.Bool("million", false, "tests of suspected logins simulate 1,000,000 of them, in place of 20,000")

// at turns a time of a story into machine time, in which 0 is the time of what never happened.
func at(d time.Duration) int64 { return int64(time.Hour + d) }

var (
	errBusy   = errors.New("503")
	busy      = told{class: ClassAnswered, err: errBusy}
	wordless  = told{class: ClassUnknown}
	suspicion = told{class: ClassSuspected}
)

func busyFor(d time.Duration) told { return told{class: ClassAnswered, err: errBusy, after: d} }

// again is a failure of a credential whose refresh before failed as well, at that time.
func again(t told, failed time.Duration) told {
	t.failed = at(failed)
	return t
}

func TestGateHoldsBack(t *testing.T) {
	type word struct {
		at   time.Duration
		who  int32
		told *told // nil: it begins
	}
	hears := func(d time.Duration, who int32, t told) word { return word{d, who, &t} }
	begins := func(d time.Duration, who int32) word { return word{d, who, nil} }
	for _, test := range []struct {
		name        string
		words       []word
		least, most time.Duration // for which the group is held back after the last word
	}{
		{"a success alone", []word{hears(0, 1, told{})}, 0, 0},
		{"one failure", []word{hears(0, 1, busy)}, time.Second / 2, time.Second},
		{"not sent", []word{hears(0, 1, told{class: ClassNotSent})}, time.Second / 2, time.Second},
		{"no answer", []word{hears(0, 1, wordless)}, 0, 0},
		{"a gateway's time-out that names a time", []word{hears(0, 1, told{class: ClassUnknown, after: 3 * time.Second})}, 3 * time.Second, 3 * time.Second},
		{"a suspected refusal that names a time", []word{hears(0, 1, told{class: ClassSuspected, after: 3 * time.Second})}, 3 * time.Second, 3 * time.Second},
		{"a refusal that names a time", []word{hears(0, 1, told{class: ClassFinal, after: 3 * time.Second})}, 0, 0},
		{"sixteen that were under way", []word{hears(0, 1, busy), hears(1e6, 2, busy), hears(2e6, 3, busy)}, time.Second/2 - 2e6, time.Second - 2e6},
		{"the probe goes first", []word{hears(0, 1, busy), begins(time.Second, 2)}, probeWait, probeWait},
		{"one only", []word{hears(0, 1, busy), begins(time.Second, 2), begins(2*time.Second, 3)}, probeWait - time.Second, probeWait - time.Second},
		{"the probe fails", []word{hears(0, 1, busy), begins(time.Second, 2), hears(2*time.Second, 2, busy)}, time.Second, 2 * time.Second},
		{"the probe is told twice", []word{hears(0, 1, busy), begins(time.Second, 2), hears(2*time.Second, 2, busy), hears(2*time.Second+1e8, 2, busy)},
			time.Second - 1e8, 2*time.Second - 1e8},
		{"another fails while the probe is under way", []word{hears(0, 1, busy), begins(time.Second, 2), hears(2*time.Second, 3, busy)},
			probeWait - time.Second, probeWait - time.Second},
		{"the probe hears nothing", []word{hears(0, 1, busy), begins(time.Second, 2), hears(2*time.Second, 2, wordless)},
			probeWait - time.Second, probeWait - time.Second},
		{"the next probe", []word{hears(0, 1, busy), begins(time.Second, 2), begins(6*time.Second, 3)}, probeWait, probeWait},
		{"the probe succeeds", []word{hears(0, 1, busy), begins(time.Second, 2), hears(2*time.Second, 2, told{})}, 0, 0},
		{"a verdict on the probe", []word{hears(0, 1, busy), begins(time.Second, 2), hears(2*time.Second, 2, told{class: ClassFinal})}, 0, 0},
		{"a wrong client", []word{hears(0, 1, busy), hears(1e6, 2, told{class: ClassConfiguration})}, 0, 0},
		{"a suspected login", []word{hears(0, 1, busy), hears(1e6, 2, suspicion)}, 0, 0},
		{"after a success it begins anew", []word{hears(0, 1, busy), begins(time.Second, 2), hears(2*time.Second, 2, busy),
			begins(4*time.Second, 3), hears(4*time.Second, 3, told{}), hears(5*time.Second, 4, busy)}, time.Second / 2, time.Second},
		{"doubled up to a minute", doubling(2, hears, begins), 30 * time.Second, time.Minute},
		{"not by one alone", doubling(1, hears, begins), longestAlone, longestAlone},

		{"Retry-After of one", []word{hears(0, 1, busyFor(time.Hour))}, longestAlone, longestAlone},
		{"a short one", []word{hears(0, 1, busyFor(2*time.Second))}, 2 * time.Second, 2 * time.Second},
		{"a very short one", []word{hears(0, 1, busyFor(time.Millisecond))}, time.Second, time.Second},
		{"of two that were under way", []word{hears(0, 1, busyFor(time.Hour)), hears(1e6, 2, busyFor(time.Hour))}, longestAlone - 1e6, longestAlone - 1e6},
		{"of the probe", []word{hears(0, 1, busyFor(20*time.Minute)), begins(10*time.Second, 2), hears(11*time.Second, 2, busyFor(20*time.Minute))},
			20 * time.Minute, 20 * time.Minute},
		{"of the probe, a day", []word{hears(0, 1, busyFor(24*time.Hour)), begins(10*time.Second, 2), hears(11*time.Second, 2, busyFor(24*time.Hour))},
			time.Hour, time.Hour},
		{"of the same one as the probe", []word{hears(0, 1, busyFor(5*time.Second)), begins(5*time.Second, 1), hears(6*time.Second, 1, busyFor(time.Hour))},
			longestAlone, longestAlone},
		{"of one that was under way for longer than the hold", []word{hears(0, 1, busyFor(time.Hour)), hears(11*time.Second, 2, busyFor(time.Hour))}, longestAlone, longestAlone},
		{"of the probe after a failure without", []word{hears(0, 1, busy), begins(time.Second, 2), hears(2*time.Second, 2, busyFor(time.Hour))}, longestAlone, longestAlone},

		{"its own trouble", []word{hears(0, 1, busy), begins(time.Second, 2), hears(2*time.Second, 2, told{}), hears(3*time.Second, 1, again(busy, 0))}, 0, 0},
		{"its own Retry-After", []word{hears(0, 1, busyFor(time.Minute)), begins(20*time.Second, 2), hears(21*time.Second, 2, told{}),
			hears(time.Minute, 1, again(busyFor(time.Hour), 0))}, 0, 0},
		{"a verdict on another is a success too", []word{hears(0, 1, busy), hears(2*time.Second, 2, suspicion), hears(3*time.Second, 1, again(busy, 0))}, 0, 0},
		{"another's new trouble", []word{hears(0, 1, busy), hears(2*time.Second, 2, told{}), hears(3*time.Second, 3, busy)}, time.Second / 2, time.Second},
		{"its own trouble goes on", []word{hears(0, 1, busy), hears(time.Second, 2, told{}), hears(2*time.Second, 1, again(busy, 0)),
			hears(4*time.Second, 1, again(busy, 2*time.Second))}, 0, 0},
		{"its trouble is over and comes again", []word{hears(0, 1, busy), hears(time.Second, 2, told{}), hears(2*time.Second, 1, again(busy, 0)),
			hears(3*time.Second, 1, told{}), hears(4*time.Second, 1, busy)}, time.Second / 2, time.Second},
		{"a row of failures after a success of all", []word{hears(0, 2, told{}), hears(time.Second, 1, busy), hears(4*time.Second, 1, again(busy, time.Second))},
			time.Second, 2 * time.Second},
	} {
		for _, dice := range []uint64{0, 400e6, 12345678901, ^uint64(0)} {
			var g gate
			now := at(0)
			for _, w := range test.words {
				now = at(w.at)
				if w.told == nil {
					g.begin(now, w.who, false)
				} else {
					g.hear(now, dice, w.who, *w.told)
				}
			}
			o := g.outlook(now)
			if got := time.Duration(max(o.until-now, 0)); got < test.least || got > test.most {
				t.Errorf("%s: held back for %v, want %v to %v", test.name, got, test.least, test.most)
			}
			if held := o.until > 0; held != (o.spread > 0) || held && o.class == "" {
				t.Errorf("%s: got %+v", test.name, o)
			}
		}
	}
}

// doubling is a row of failures, each of another or all of one.
func doubling[W any](callers int32, hears func(time.Duration, int32, told) W, begins func(time.Duration, int32) W) (words []W) {
	for i := range int32(9) {
		d := time.Duration(i) * 2 * time.Minute
		words = append(words, begins(d, 1+i%callers), hears(d, 1+i%callers, busy))
	}
	return words
}

// The spread of those who come after a hold is as long as the hold, within bounds.
func TestGateSpreads(t *testing.T) {
	for _, test := range []struct{ after, want time.Duration }{
		{time.Second, time.Second}, {25 * time.Second, 25 * time.Second}, {time.Hour, time.Minute},
	} {
		var g gate
		g.hear(at(0), 0, 1, busyFor(test.after))
		g.begin(at(10*time.Second), 2, false)
		g.hear(at(10*time.Second), 0, 2, busyFor(test.after))
		if got := g.outlook(at(10 * time.Second)); got.spread != test.want || got.until != at(10*time.Second+test.after) {
			t.Errorf("Retry-After of %v: got %+v, want a spread of %v", test.after, got, test.want)
		}
	}
}

func TestNilGateKnowsNothing(t *testing.T) {
	var g *gate
	if got := g.outlook(at(0)); got != (outlook{}) {
		t.Errorf("got %+v, want the zero outlook", got)
	}
}

// Whatever comes: a hold ends within an hour, within a minute where no time was named,
// and within ten seconds where one credential alone was in trouble; none is left after
// a success; suspected ones keep their distance.
func TestGateInvariants(t *testing.T) {
	classes := []Class{"", ClassNotSent, ClassUnknown, ClassAnswered, ClassSuspected, ClassFinal, ClassConfiguration}
	for seed := range uint64(500) {
		random := rand.New(rand.NewPCG(seed, 0))
		var g gate
		apart := gate{apart: true}
		now, named, callers := at(0), false, 1+random.Int32N(4)
		for range 200 {
			now += random.Int64N(int64(20 * time.Second))
			who := 1 + random.Int32N(callers)
			before := g.outlook(now)
			if random.IntN(2) == 0 {
				suspected := random.IntN(2) == 0
				g.begin(now, who, suspected)
				apart.begin(now, who, suspected)
				after := g.outlook(now)
				if suspected && after.suspects < max(now, before.suspects)+int64(fastPace) {
					t.Fatalf("seed %d: suspected ones may begin at %d after %d", seed, after.suspects-now, before.suspects-now)
				}
				if before.until > 0 && after.until != before.until {
					t.Fatalf("seed %d: one that begins during a hold changed it", seed)
				}
				continue
			}
			word := told{class: classes[random.IntN(len(classes))]}
			if random.IntN(4) == 0 {
				word.after = time.Duration(random.Int64N(int64(2 * time.Hour)))
				named = named || word.troubled()
			}
			if random.IntN(2) == 0 {
				word.failed = now - random.Int64N(int64(time.Minute))
			}
			word.healed = word.class == "" && random.IntN(2) == 0
			g.hear(now, random.Uint64(), who, word)
			apart.hear(now, random.Uint64(), who, word)
			held := time.Duration(max(g.outlook(now).until-now, 0))
			limit := time.Minute
			switch {
			case !word.troubled() && word.class != ClassUnknown:
				limit, named = 0, false
			case callers == 1:
				limit = max(longestAlone, probeWait)
			case named:
				limit = time.Hour
			}
			if held > limit {
				t.Fatalf("seed %d: held back for %v after %+v, want %v at most", seed, held, word, limit)
			}
			if apart.outlook(now).until != 0 {
				t.Fatalf("seed %d: credentials that name no group were held back", seed)
			}
			if g.pace != 0 && (g.pace < fastPace || g.pace > slowPace) {
				t.Fatalf("seed %d: pace %v", seed, g.pace)
			}
		}
	}
}

// Suspected logins are tried one at a time; each that heals lets them come twice as
// fast, each that does not half as fast.
func TestGatePacesSuspects(t *testing.T) {
	var g gate
	paces := func() time.Duration {
		now := g.suspects + 1
		g.begin(now, 1, true)
		return time.Duration(g.outlook(now).suspects - now)
	}
	for i, step := range []struct {
		told told
		want time.Duration
	}{
		{told{}, 100e6}, {suspicion, 100e6}, {told{healed: true}, 50e6}, {told{healed: true}, 25e6}, {told{}, 25e6}, {wordless, 25e6},
		{busy, 25e6}, {suspicion, 50e6}, {suspicion, 100e6}, {suspicion, 100e6},
	} {
		g.hear(at(time.Duration(i)), 0, 1, step.told)
		if got := paces(); got != step.want {
			t.Errorf("step %d: %v between two, want %v", i, got, step.want)
		}
	}
	for range 20 {
		g.hear(at(time.Minute), 0, 1, told{healed: true})
	}
	if got := paces(); got != fastPace {
		t.Errorf("after many healed: %v between two, want %v", got, fastPace)
	}
	if got := g.outlook(at(time.Hour)); got.suspects != 0 || got.healed != at(time.Minute) {
		t.Errorf("an hour later: got %+v, want suspects free, and healed", got)
	}
}

// pending is an answer to come.
type pending struct {
	at  int64
	who int32
}

// fullest returns the largest number of times that are within one second.
func fullest(times []int64) (n int) {
	first := 0
	for i := range times {
		for times[i]-times[first] >= int64(time.Second) {
			first++
		}
		n = max(n, i-first+1)
	}
	return n
}

// A million suspected logins of one group cost their server ten requests a second for
// a day. When it accepts them again all are healed within an hour of the first
// success, spread.
func TestMillionSuspects(t *testing.T) {
	n := int32(20_000)
	if *million {
		n = 1_000_000
	}
	const (
		latency = int64(50 * time.Millisecond)
		day     = int64(24 * time.Hour)
	)
	random := rand.New(rand.NewPCG(1, 2))
	within := func(least, most time.Duration) int64 { return int64(least) + random.Int64N(int64(most-least)) }
	type suspect struct {
		tried, due int64
		wait       time.Duration
		sent       bool
	}
	var (
		g        gate
		wakes    deadlines
		answers  []pending
		suspects = make([]suspect, n+1)
		begun    []int64 // while nothing heals
		healing  []int64 // afterwards
		first    int64   // success
		healthy  int32
		last     int64
	)
	start := at(0)
	for i := int32(1); i <= n; i++ {
		wakes.set(i, start+within(0, time.Hour))
		suspects[i].wait = time.Minute
	}
	for healthy < n {
		now := wakes.next()
		if len(answers) > 0 && answers[0].at <= now {
			answer := answers[0]
			answers = answers[1:]
			s := &suspects[answer.who]
			s.sent = false
			now := answer.at
			if now < start+day {
				g.hear(now, random.Uint64(), answer.who, suspicion)
				s.wait = min(2*s.wait, time.Hour)
				s.due = now + int64(s.wait)
				continue
			}
			g.hear(now, random.Uint64(), answer.who, told{healed: true})
			if first == 0 {
				first = now
			}
			healthy++
			last = now
			wakes.set(answer.who, never)
			continue
		}
		if now > start+day+int64(3*time.Hour) {
			t.Fatalf("%d of %d have healed three hours after the server", healthy, n)
		}
		who := wakes.first()
		s := &suspects[who]
		o := g.outlook(now)
		next := now + within(20*time.Minute, 45*time.Minute)
		switch others := o.healed > s.tried; {
		case s.sent, now < s.due && !others:
		case o.suspects > now && others:
			next = now + within(time.Second, 30*time.Second)
		case o.suspects > now:
		default:
			g.begin(now, who, true)
			s.sent, s.tried = true, now
			answers = append(answers, pending{now + latency, who})
			if first == 0 {
				begun = append(begun, now)
			} else {
				healing = append(healing, now)
			}
		}
		wakes.set(who, next)
	}
	took := time.Duration(last - first)
	t.Logf("%d suspects: %d requests in a day, %d in the fullest second; healed in %v, %d in the fullest second",
		n, len(begun), fullest(begun), took, fullest(healing))
	if got := fullest(begun); got > 20 {
		t.Errorf("%d requests in one second of the day, want 20 at most", got)
	}
	if len(begun) < 10*int(n) && len(begun) < 300_000 {
		t.Errorf("%d requests in a day, want the tries to go on", len(begun))
	}
	if took > time.Hour {
		t.Errorf("all had healed %v after the first, want an hour at most", took)
	}
	if got := fullest(healing); got > 1100 {
		t.Errorf("%d requests in one second of the healing, want about 1,000 at most", got)
	}
}

// A thousand credentials are due at once at an endpoint that answers 503 for two
// minutes. It sees those that were under way at the first answer, and then one probe
// after the other; when it has recovered all go on, spread.
func TestThousandAtAnEndpointInTrouble(t *testing.T) {
	const (
		n       = 1000
		slots   = 16
		latency = int64(50 * time.Millisecond)
		outage  = 2 * time.Minute
	)
	for name, word := range map[string]told{"503": busy, "503 with Retry-After: 5": busyFor(5 * time.Second), "429 with Retry-After: 90": busyFor(90 * time.Second)} {
		random := rand.New(rand.NewPCG(3, 4))
		type credential struct {
			failed int64
			retry  int64
			fails  int
		}
		var (
			g           gate
			wakes       deadlines
			credentials [n + 1]credential
			queue       []int32
			answers     []pending
			during, all []int64
			done        int
			last        int64
		)
		for i := int32(1); i <= n; i++ {
			wakes.set(i, at(0))
		}
		// ready reports whether who may go on, and puts it off otherwise.
		ready := func(now int64, who int32) bool {
			o := g.outlook(now)
			if o.until > now {
				wakes.set(who, max(credentials[who].retry, o.until+random.Int64N(int64(o.spread))))
				return false
			}
			return true
		}
		grant := func(now int64) {
			for len(queue) > 0 && len(answers) < slots {
				who := queue[0]
				queue = queue[1:]
				if !ready(now, who) {
					continue
				}
				g.begin(now, who, false)
				answers = append(answers, pending{now + latency, who})
				all = append(all, now)
				if now < at(outage) {
					during = append(during, now)
				}
			}
		}
		for done < n {
			now := wakes.next()
			if len(answers) > 0 && answers[0].at <= now {
				now, who := answers[0].at, answers[0].who
				answers = answers[1:]
				c := &credentials[who]
				if now-latency >= at(outage) {
					g.hear(now, random.Uint64(), who, told{})
					done++
					last = now
				} else {
					word := word
					word.failed = c.failed
					g.hear(now, random.Uint64(), who, word)
					c.fails++
					c.failed = now
					back := min(time.Second<<(c.fails-1), time.Minute)
					c.retry = now + max(int64(word.after), random.Int64N(int64(back)))
					wakes.set(who, c.retry)
				}
				grant(now)
				continue
			}
			if now == never {
				t.Fatalf("%s: %d of %d done, and none goes on", name, done, n)
			}
			who := wakes.first()
			wakes.set(who, never)
			if ready(now, who) {
				queue = append(queue, who)
			}
			grant(now)
		}
		after := all[len(during):]
		t.Logf("%s: %d requests during the trouble, all done %v after it, %d in the fullest second", name, len(during), time.Duration(last-at(outage)), fullest(after))
		if probes := 12; len(during) > slots+probes && word.after == 0 {
			t.Errorf("%s: %d requests during the trouble, want %d and %d probes at most", name, len(during), slots, probes)
		}
		if len(during) > slots+int(outage/(5*time.Second)) {
			t.Errorf("%s: %d requests during the trouble", name, len(during))
		}
		if took := time.Duration(last - at(outage)); took > 3*time.Minute {
			t.Errorf("%s: the last went on %v after the trouble, want 3m at most", name, took)
		}
		if len(after) != n {
			t.Errorf("%s: %d requests after the trouble, want one each of %d", name, len(after), n)
		}
	}
}

// Credentials whose accounts are in trouble for a day hold the others back for some
// seconds at the beginning, and not again.
func TestPoisonedCredentials(t *testing.T) {
	const n = 100
	for _, poison := range []told{busy, busyFor(time.Hour), {class: ClassNotSent}} {
		for _, poisoned := range []int32{1, 3, 8} {
			random := rand.New(rand.NewPCG(5, 6))
			var (
				g       gate
				wakes   deadlines
				failed  [n + 1]int64
				fails   [n + 1]int
				delayed [n + 1]int64
				waits   []time.Duration
			)
			for i := int32(1); i <= n; i++ {
				wakes.set(i, at(time.Duration(random.Int64N(int64(time.Hour)))))
			}
			for now := wakes.next(); now < at(24*time.Hour); now = wakes.next() {
				who := wakes.first()
				if o := g.outlook(now); o.until > now {
					if delayed[who] == 0 {
						delayed[who] = now
					}
					wakes.set(who, o.until+random.Int64N(int64(o.spread)))
					continue
				}
				g.begin(now, who, false)
				if who <= poisoned {
					word := poison
					word.failed = failed[who]
					g.hear(now, random.Uint64(), who, word)
					failed[who] = now
					fails[who]++
					back := int64(min(time.Second<<min(fails[who], 6), time.Minute))
					wakes.set(who, now+max(int64(word.after), random.Int64N(back)))
					continue
				}
				g.hear(now, random.Uint64(), who, told{})
				if delayed[who] > 0 {
					waits = append(waits, time.Duration(now-delayed[who]))
					delayed[who] = 0
				}
				wakes.set(who, now+int64(time.Hour)-random.Int64N(int64(time.Minute)))
			}
			longest := slices.Max(append(waits, 0))
			t.Logf("%d poisoned by %s %v: others waited %d times, up to %v", poisoned, poison.class, poison.after, len(waits), longest)
			if longest > 2*time.Minute || len(waits) > 5*int(poisoned) {
				t.Errorf("%d poisoned by %s %v: others waited %d times, up to %v; want %d times at most, and two minutes",
					poisoned, poison.class, poison.after, len(waits), longest, 5*poisoned)
			}
		}
	}
}

// What one credential was told shows in the moments of the others of its group, and
// in no others; without a group only what is known of suspected logins is shared.
func TestGroupsHearWhatOneWasTold(t *testing.T) {
	a := newActor(Config{})
	a.time.read(1, 1)
	m := &Manager{actor: a, settings: make(map[settingsKey]*settings)}
	r := RefresherFunc(func(context.Context, string, Token) (Token, error) { return Token{}, nil })
	manage := func(name, group string) *Credential { return m.Manage(name, r, Policy{Group: group}) }
	first, second, other := manage("a1", "a"), manage("a2", "a"), manage("b1", "b")
	nameless, likeIt := manage("n1", ""), manage("n2", "")
	group := func(c *Credential) outlook { return a.moment(c).group }

	a.perform(first, begun{})
	a.perform(first, told{})
	a.perform(nameless, busy)
	if len(a.gates.of) != 0 {
		t.Fatalf("%d gates without anything to remember, want none", len(a.gates.of))
	}
	a.perform(first, busyFor(2*time.Second))
	want := outlook{until: a.time.now + int64(2*time.Second), spread: 2 * time.Second, err: errBusy, class: ClassAnswered}
	for _, c := range []*Credential{first, second} {
		if got := group(c); got != want {
			t.Errorf("%s: got %+v, want %+v", c.Name(), got, want)
		}
	}
	for _, c := range []*Credential{other, nameless, likeIt} {
		if got := group(c); got != (outlook{}) {
			t.Errorf("%s: got %+v, want the zero outlook", c.Name(), got)
		}
	}
	a.perform(second, told{})
	a.perform(nameless, begun{suspected: true})
	a.perform(nameless, told{healed: true})
	a.perform(nameless, busy)
	want = outlook{suspects: a.time.now + int64(slowPace), healed: a.time.now}
	if got := group(likeIt); got != want {
		t.Errorf("%s: got %+v, want %+v", likeIt.Name(), got, want)
	}
	if got := group(first); got != (outlook{}) {
		t.Errorf("%s: got %+v, want the zero outlook", first.Name(), got)
	}
}

// Gates that have nothing to remember any more are dropped.
func TestGatesAreDropped(t *testing.T) {
	a := newActor(Config{})
	m := &Manager{actor: a, settings: make(map[settingsKey]*settings)}
	for i := range 1000 {
		a.time.reach(at(time.Duration(i) * time.Hour))
		a.perform(m.Manage(fmt.Sprint(i), nil, Policy{Group: fmt.Sprint(i)}), busy)
	}
	if got := len(a.gates.of); got > 100 {
		t.Errorf("%d gates are kept, want those of a day or two", got)
	}
}
