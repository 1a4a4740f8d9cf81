package persist_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist"
	"example.com/tokenactor/tokentest"
)

// laneNames is how many credentials a lane has. After a kill those that were busy
// are in doubt until a process lives longer than their quiet time, so that only a
// few of them may be busy at once.
const laneNames = 24

// Where a credential was when its process was killed.
const (
	beforeMark  = "before its mark was saved"
	beforeSend  = "marked and not sent"
	atServer    = "at the server, not yet spent"
	spentOnly   = "spent, its answer not there yet"
	notSavedYet = "answered and not saved"
	afterSave   = "saved"
)

var killPlaces = []string{beforeMark, beforeSend, atServer, spentOnly, notSavedYet, afterSave}

// A lane is a store, its authorization server, and one process after another that
// uses them and is killed.
type lane struct {
	t      *testing.T
	part   string // of children
	path   string
	shared bool
	srv    *tokentest.Server
	names  []string

	mu       sync.Mutex // the server's calls and the process's lines come at once
	dice     *rand.Rand
	calm     bool                 // no faults any more
	aimed    bool                 // the next call is answered after the kill
	killc    chan struct{}        // holds one token when it is time to kill
	seen     map[[2]int]time.Time // when this refresh token of this family last came to the server
	family   map[string]int       // of each name, as stored
	have     map[int]int          // the newest refresh token of a family that file or process has
	durable  map[int]int          // ... that is stored for all we were told
	last     map[string]string    // the last step of each name in this process
	done     map[string]bool      // names that the last process has renewed, and that are at rest
	reported map[int]bool         // families that the process called lost
	alive    map[int]bool         // families that died although their newest refresh token was there
	tally    killTally
}

// A killTally is what the test is about.
type killTally struct {
	kills          int
	places         map[string]int
	refreshes      int64
	guarded        int // guarded tries that were sent
	lost           int // answers lost, and reported
	revokedAlive   int
	saidNothing    int // families that ended without a word
	refusedAnyway  int // refused, with no word of a lost answer
	quietTimeKills int
}

func newLane(t *testing.T, part string, seed uint64, shared bool) *lane {
	l := &lane{
		t: t, part: part, shared: shared, path: t.TempDir(),
		srv:   tokentest.New(tokentest.Options{Seed: seed, Log: -1}),
		dice:  rand.New(rand.NewPCG(seed, 0)),
		killc: make(chan struct{}, 1),
		seen:  make(map[[2]int]time.Time), family: make(map[string]int), have: make(map[int]int),
		durable: make(map[int]int), reported: make(map[int]bool), alive: make(map[int]bool),
		tally: killTally{places: make(map[string]int)},
	}
	t.Cleanup(func() { l.srv.Close() })
	if err := l.srv.Start(); err != nil {
		t.Fatal(err)
	}
	l.srv.Always(tokentest.Choose(l.fault))
	if part == "ours" {
		l.path = filepath.Join(l.path, "tokens.db")
		t.Cleanup(func() { checkPages(t, l.path) })
	}
	for i := range laneNames {
		l.names = append(l.names, fmt.Sprintf("name%d", i))
	}
	return l
}

// fault decides about a call that has just arrived.
func (l *lane) fault(call tokentest.Call) tokentest.Fault {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := [2]int{call.Family, call.Serial}
	if before, ok := l.seen[key]; ok && l.part == "ours" && call.Time.Sub(before) < killLimit {
		l.t.Errorf("refresh token %d of family %d came again after %v, want not within the time limit", call.Serial, call.Family, call.Time.Sub(before))
	}
	l.seen[key] = call.Time
	part := func(d time.Duration) time.Duration { return time.Duration(l.dice.Int64N(int64(d))) }
	switch n := l.dice.IntN(1000); {
	case l.aimed:
		l.aimed = false
		l.kill()
		return tokentest.Late(time.Minute) // for one who is not there any more
	case l.calm:
		return tokentest.Fault{}
	case n < 4:
		return tokentest.Lost()
	case n < 6:
		return tokentest.Status(503)
	case n < 250:
		return tokentest.Slow(part(100 * time.Millisecond)) // spent late, and by the dead as well
	default:
		return tokentest.Late(part(20 * time.Millisecond))
	}
}

func (l *lane) kill() {
	select {
	case l.killc <- struct{}{}:
	default:
	}
}

// listen takes in what the process tells until it ends.
func (l *lane) listen(c *child) (closed bool) {
	for c.out.Scan() {
		kind, rest, _ := strings.Cut(c.out.Text(), " ")
		name, rest, _ := strings.Cut(rest, " ")
		switch kind {
		case "open":
		case "closed":
			closed = true
		case "held":
			l.kill()
		case "lost", "refused":
			l.refused(kind, name)
			fmt.Fprintln(c.in, name, l.srv.Login().RefreshToken) // one that is dead by now asks again when it is back
		case "done":
			l.mu.Lock()
			l.done[name] = true
			l.mu.Unlock()
		case "failed":
			l.t.Errorf("%s: cannot save: %s", name, rest)
		default:
			l.step(kind, name, rest)
		}
	}
	return closed
}

// refused takes in that the process wants a new login.
func (l *lane) refused(kind, name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.last, name)
	id := l.family[name]
	switch {
	case id == 0, l.reported[id]: // the first login; or that of before did not get through
	case kind == "refused":
		l.tally.refusedAnyway++
	default:
		l.reported[id] = true
		l.tally.lost++
	}
	if id != 0 && l.srv.Families()[id-1].Alive {
		l.t.Errorf("%s: %s, and its family lives", name, kind)
	}
}

// step takes in a step of a renewal.
func (l *lane) step(kind, name, refresh string) {
	id, serial, _ := l.srv.RefreshState(refresh)
	l.mu.Lock()
	defer l.mu.Unlock()
	if kind == "send" && l.last[name] == "guarded" {
		l.tally.guarded++
	}
	l.last[name] = kind
	switch kind {
	case "send":
		if serial < l.have[id] && l.part == "ours" {
			l.t.Errorf("%s: refresh token %d of family %d is sent, and %d is known", name, serial, id, l.have[id])
		}
	case "saved":
		l.family[name] = id
		l.durable[id] = serial
		fallthrough
	case "answer":
		l.have[id] = serial
	}
	// A late call of a dead process may have ended what this one is using.
	if f := l.srv.Families()[id-1]; f.RevokedByReuse && l.have[id] >= f.Serial && !l.alive[id] {
		l.alive[id] = true
		l.tally.revokedAlive++
	}
}

// round lets a process run, kills it, and looks at what it left behind.
func (l *lane) round(names []string, hold string, life time.Duration) {
	l.mu.Lock()
	l.last = make(map[string]string)
	l.aimed = hold == "server:1"
	if life == 0 {
		life = killLimit + 2*time.Second // a step that does not come
	}
	l.mu.Unlock()
	c := startChild(l.t, l.part, victimArgs(l.path, l.srv.TokenURL(), l.shared, hold, names)...)
	if got := c.line(l.t); got != "open" {
		l.t.Fatalf("the process says %q", got)
	}
	endedc := make(chan struct{})
	go func() {
		defer close(endedc)
		l.listen(c)
	}()
	timer := time.NewTimer(life)
	defer timer.Stop()
	select {
	case <-l.killc:
	case <-timer.C:
	case <-endedc:
		l.t.Error("the process ended by itself")
	}
	if err := c.Process.Kill(); err != nil {
		l.t.Error(err)
	}
	<-endedc
	_ = c.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.aimed = false
	select {
	case <-l.killc:
	default:
	}
	l.tally.kills++
	l.inspect(names)
}

// A remnant is what is stored of a credential.
type remnant struct {
	refresh string
	marked  bool
	refused bool
}

// inspect compares what is stored with what was told and what the server knows.
func (l *lane) inspect(names []string) {
	families := l.srv.Families()
	for name, r := range l.stored() {
		id, serial, _ := l.srv.RefreshState(r.refresh)
		if id == 0 {
			continue
		}
		if serial < l.durable[id] {
			l.t.Errorf("%s: refresh token %d of family %d is stored, %d was reported as saved", name, serial, id, l.durable[id])
		}
		l.family[name], l.have[id], l.durable[id] = id, serial, serial
		last, busy := l.last[name]
		if !slices.Contains(names, name) || r.refused {
			continue
		}
		if (last == "marked" || last == "send") && !r.marked && l.part == "ours" {
			l.t.Errorf("%s: sent, and no mark is stored", name)
		}
		newest := families[id-1].Serial
		_, arrived := l.seen[[2]int{id, serial}]
		switch {
		case !busy && r.marked:
			l.tally.quietTimeKills++
		case !busy:
		case serial < newest && last == "answer":
			l.tally.places[notSavedYet]++
		case serial < newest:
			l.tally.places[spentOnly]++
		case last == "saved" || last == "answer":
			l.tally.places[afterSave]++
		case last == "mark" && !r.marked:
			l.tally.places[beforeMark]++
		case !arrived && (r.marked || last == "send"):
			l.tally.places[beforeSend]++
		case arrived:
			l.tally.places[atServer]++
		}
	}
}

// stored reads what a process would find that is started now.
func (l *lane) stored() map[string]remnant {
	found := make(map[string]remnant)
	if l.part != "ours" {
		for _, name := range l.names {
			text, err := os.ReadFile(filepath.Join(l.path, name))
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			var token oauth2.Token
			if err := errors.Join(err, json.Unmarshal(text, &token)); err != nil {
				l.t.Fatal(err)
			}
			found[name] = remnant{refresh: token.RefreshToken}
		}
		return found
	}
	db, err := persist.Open(l.path, persist.Options{Shared: l.shared})
	if err != nil {
		l.t.Fatal(err)
	}
	defer db.Close()
	err = db.Scan(l.t.Context(), func(name string, s manager.Snapshot) error {
		found[name] = remnant{s.Token.RefreshToken.Reveal(), !s.Mark.IsZero(), len(s.Refusals) > 0}
		return nil
	})
	if err != nil {
		l.t.Fatal(err)
	}
	return found
}
