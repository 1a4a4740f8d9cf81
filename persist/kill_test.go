package persist_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	kills    = flag.Int("kills", 200, "how many processes the kill tests kill")
	killSeed = flag.Uint64("killseed", 0, "what the kill tests draw their moments from; 0: drawn anew")
)

// killLanes is how many processes live at once.
const killLanes = 12

// Invariants 8, 9 and 10 with real processes that are killed with SIGKILL at any
// moment, at a server that ends a login when a spent refresh token comes back, and
// whose calls go on after their process is dead. Every second lane is in shared
// mode. In the end no family was ever revoked that could have lived, and each
// answer that was lost was reported.
func TestScenario10Kills(t *testing.T) {
	total := killedTimes(t, "ours")
	if total.revokedAlive > 0 || total.saidNothing > 0 || total.refusedAnyway > 0 {
		t.Errorf("%d families revoked while alive, %d lost without a word, %d refused without a loss, want none",
			total.revokedAlive, total.saidNothing, total.refusedAnyway)
	}
	for _, place := range killPlaces {
		if total.places[place] == 0 && *kills >= 100 {
			t.Errorf("no process was killed with a credential %s", place)
		}
	}
	if *kills >= 100 && (total.guarded == 0 || total.lost == 0) {
		t.Errorf("%d guarded tries, %d answers lost, want some", total.guarded, total.lost)
	}
}

// The control: what the same kills do to x/oauth2 with a file.
func TestScenario10KillsWithoutUs(t *testing.T) {
	total := killedTimes(t, "x/oauth2")
	if total.lost == 0 && *kills >= 100 {
		t.Error("no login was lost: the kills do nothing")
	}
}

// killedTimes kills so many processes as the flag says.
func killedTimes(t *testing.T, part string) killTally {
	if testing.Short() {
		t.Skip("starts and kills some hundred processes")
	}
	seed := *killSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("seed %d", seed)
	total := killTally{places: make(map[string]int)}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range killLanes {
		wg.Go(func() {
			t.Run(fmt.Sprint("lane", i), func(t *testing.T) { // not by t.Parallel: they wait more than they work
				l := newLane(t, part, seed+uint64(i), i%2 == 1)
				for n := i; n < *kills; n += killLanes {
					l.next(n/killLanes%6 == 5)
				}
				l.settle()
				mu.Lock()
				defer mu.Unlock()
				total.add(l.tally)
			})
		})
	}
	wg.Wait()
	t.Log(&total)
	return total
}

// aims are the steps at which a process is stopped, so that the kill comes there
// for certain. The others are killed at a random moment.
var aims = []string{"mark", "marked", "send", "server", "answer", "saved"}

// next lets a few credentials be busy, long those in doubt too, until they are out
// of it, and kills.
func (l *lane) next(long bool) {
	l.mu.Lock()
	draw := func(n time.Duration) time.Duration { return time.Duration(l.dice.Int64N(int64(n))) }
	var clean, doubtful []string
	for _, i := range l.dice.Perm(laneNames) {
		if name := l.names[i]; l.doubtful(name) {
			doubtful = append(doubtful, name)
		} else {
			clean = append(clean, name)
		}
	}
	if !long {
		doubtful = doubtful[:min(len(doubtful), 1)]
	}
	names := append(doubtful, clean[:min(len(clean), 4)]...)
	life, hold := draw(60*time.Millisecond)+1, ""
	switch {
	case long && l.part == "ours":
		life += killLimit + time.Second + draw(200*time.Millisecond)
	case l.dice.IntN(3) == 0 && (l.part == "ours" || l.dice.IntN(3) > 0):
		life, hold = 0, fmt.Sprintf("%s:%d", aims[l.dice.IntN(len(aims))], 1)
	}
	l.mu.Unlock()
	if l.part != "ours" {
		hold = strings.NewReplacer("marked", "send", "mark", "send").Replace(hold)
	}
	l.round(names, hold, life)
}

// doubtful reports whether the newest refresh token of name is not what is stored.
func (l *lane) doubtful(name string) bool {
	id := l.family[name]
	if id == 0 {
		return false
	}
	f := l.srv.Families()[id-1]
	_, sent := l.seen[[2]int{id, l.have[id]}]
	return sent || !f.Alive || f.Serial != l.have[id]
}

// settle lets a process live until each credential has renewed, and ends it in
// peace. Then the server and the file must agree.
func (l *lane) settle() {
	l.mu.Lock()
	l.last, l.done, l.calm = make(map[string]string), make(map[string]bool), true
	l.mu.Unlock()
	c := startChild(l.t, l.part, victimArgs(l.path, l.srv.TokenURL(), l.shared, "settle", l.names)...)
	closedc := make(chan bool, 1)
	go func() { closedc <- l.listen(c) }()
	for deadline := time.Now().Add(2 * time.Minute); !l.settled(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			l.t.Error("not all credentials are renewed after two minutes without faults")
			break
		}
	}
	c.tell(l.t, "end")
	if !<-closedc {
		l.t.Error("the process did not end in peace")
	}
	_ = c.Wait()

	l.mu.Lock()
	defer l.mu.Unlock()
	current := make(map[int]bool)
	l.last = make(map[string]string)
	for name, r := range l.stored() {
		id, serial, ok := l.srv.RefreshState(r.refresh)
		current[id] = true
		if l.part == "ours" && (!ok || r.marked || r.refused) {
			l.t.Errorf("%s: in the end refresh token %d of family %d, good: %t, marked: %t, refused: %t, want a good one and nothing open",
				name, serial, id, ok, r.marked, r.refused)
		}
	}
	for _, f := range l.srv.Families() {
		switch {
		case current[f.ID] || l.reported[f.ID] && !f.Alive:
		case f.Alive && f.Serial == 1 && l.have[f.ID] == 0: // a login that did not get through to the process
		default:
			l.tally.saidNothing++
			l.t.Logf("without a word: %+v", f)
		}
	}
	l.tally.refreshes = l.srv.Stats().Refreshes
}

// settled reports whether each name was renewed in this process and is at rest.
func (l *lane) settled() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, name := range l.names {
		if !l.done[name] {
			return false
		}
	}
	return true
}

func (t *killTally) add(other killTally) {
	t.kills += other.kills
	t.refreshes += other.refreshes
	t.guarded += other.guarded
	t.lost += other.lost
	t.revokedAlive += other.revokedAlive
	t.saidNothing += other.saidNothing
	t.refusedAnyway += other.refusedAnyway
	t.quietTimeKills += other.quietTimeKills
	for place, n := range other.places {
		t.places[place] += n
	}
}

func (t *killTally) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d processes killed, %d refreshes, %d guarded tries; %d answers lost and reported, %d families revoked while alive, %d lost without a word\n",
		t.kills, t.refreshes, t.guarded, t.lost, t.revokedAlive, t.saidNothing)
	b.WriteString("killed with a credential:")
	for _, place := range killPlaces {
		fmt.Fprintf(&b, " %d %s,", t.places[place], place)
	}
	fmt.Fprintf(&b, " %d in their quiet time", t.quietTimeKills)
	return b.String()
}
