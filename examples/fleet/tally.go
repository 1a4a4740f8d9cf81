package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"example.com/tokenactor/manager"
)

// A tally gathers the reports of all workers.
type tally struct {
	refusedc    chan struct{} // holds one when a worker needs a login
	refreshingc chan *worker  // who is about to send the refresh token; lossy

	mu        sync.Mutex
	counts    map[*worker]report
	busy      map[*worker]bool
	refreshed map[uint64]int64  // when a generation was stored, Unix ns
	sending   map[*worker]int64 // when its refresh under way was begun
	sent      map[uint64]int64  // when the refresh that brought a generation was
	adoptions []time.Duration   // from then until another process had it
	troubles  map[string]int
}

func newTally() *tally {
	return &tally{
		refusedc: make(chan struct{}, 1), refreshingc: make(chan *worker, 1),
		counts: make(map[*worker]report), busy: make(map[*worker]bool),
		refreshed: make(map[uint64]int64), sending: make(map[*worker]int64), sent: make(map[uint64]int64), troubles: make(map[string]int),
	}
}

// take takes in a report of w, nil: the parent.
func (t *tally) take(w *worker, r report) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch r.Event {
	case 0:
		t.counts[w] = r
	case eventRefreshing:
		t.busy[w] = true
		t.sending[w] = r.At
		select {
		case t.refreshingc <- w:
		default:
		}
	case manager.EventRefreshed:
		t.busy[w] = false
		t.refreshed[r.Generation], t.sent[r.Generation] = r.At, t.sending[w]
	case manager.EventAdopted:
		if at := t.refreshed[r.Generation]; at > 0 {
			t.adoptions = append(t.adoptions, time.Duration(max(r.At-at, 0)))
		}
	case manager.EventRefused, manager.EventRefreshFailed:
		t.busy[w] = false
		t.troubles[r.Event.String()+": "+r.Why]++
		if r.Event == manager.EventRefused {
			select {
			case t.refusedc <- struct{}{}:
			default:
			}
		}
	case manager.EventLoadFailed, manager.EventSaveFailed, manager.EventUnmarked, manager.EventHung,
		manager.EventStoreRolledBack, manager.EventAnswerDropped:
		t.troubles[r.Event.String()+": "+r.Why]++
	}
}

// refreshing reports whether w sent a refresh token whose answer is not stored yet.
func (t *tally) refreshing(w *worker) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.busy[w]
}

// A result is what came of it all.
type result struct {
	Seconds                 float64
	Processes, Kills, Stops int
	Requests, Lost          int64
	Refreshes               int64
	Needless                int64   // of a token with more than half of its life left
	PerLife                 float64 // refreshes ÷ lives until renewal, ideally 1
	Reuses, Logins          int64
	Revoked                 int // living logins that a reuse ended, though nobody was hit
	LostWithProcess         int // logins whose newest token died with a process that was hit
	LongestWait             time.Duration
	Adoptions               int
	AdoptMedian, AdoptP99   time.Duration
	Troubles                map[string]int
}

func (f *fleet) result(took time.Duration) result {
	t, stats := f.tally, f.srv.Stats()
	t.mu.Lock()
	defer t.mu.Unlock()
	r := result{Seconds: took.Seconds(), Processes: f.processes, Kills: f.kills, Stops: f.stops,
		Refreshes: stats.Refreshes, Reuses: stats.Reuses, Logins: stats.Logins, Adoptions: len(t.adoptions), Troubles: t.troubles}
	for _, c := range t.counts {
		r.Requests += c.Requests
		r.Lost += c.Lost
		r.LongestWait = max(r.LongestWait, c.Longest)
		if c.Lost > 0 {
			t.troubles["request: "+c.Why] += int(c.Lost)
		}
	}
	for _, family := range f.srv.Families() {
		switch {
		case !family.RevokedByReuse:
		case family.Lost || f.excused[family.ID]:
			r.LostWithProcess++
		default:
			r.Revoked++
		}
	}
	// A quarter of the life is the renewal window, a tenth of the rest the jitter.
	until := f.life * 3 / 4
	r.Needless = needless(t.sent, f.life/2)
	r.PerLife = float64(r.Refreshes) / (took.Seconds() / (until - until/20).Seconds())
	slices.Sort(t.adoptions)
	if n := len(t.adoptions); n > 0 {
		r.AdoptMedian, r.AdoptP99 = t.adoptions[n/2], t.adoptions[n*99/100]
	}
	return r
}

// needless counts the refreshes that were begun too soon after those that brought the
// tokens before. (The server knows when they arrived, which for a process that was
// stopped meanwhile is later, and a life counts from the sending.)
func needless(sent map[uint64]int64, tooSoon time.Duration) (n int64) {
	for generation, at := range sent {
		if before, ok := sent[generation-1]; ok && time.Duration(at-before) < tooSoon {
			n++
		}
	}
	return n
}

func (r *result) print(out io.Writer) {
	line := func(format string, args ...any) { fmt.Fprintf(out, format+"\n", args...) }
	line("%8d requests in %.1f s, %d lost", r.Requests, r.Seconds, r.Lost)
	line("%8d processes at a time; %d were killed, %d stopped for a while", r.Processes, r.Kills, r.Stops)
	line("%8d refreshes, %d of them needless: %.2f for each life of a token", r.Refreshes, r.Needless, r.PerLife)
	line("%8d living logins revoked", r.Revoked)
	line("%8d logins lost with a process that was hit while it waited for the answer, and logged in again", r.LostWithProcess)
	line("%8s until another process had a new token, in the median; %s for the slowest hundredth", round(r.AdoptMedian), round(r.AdoptP99))
	line("%8s longest wait for a token", round(r.LongestWait))
	if len(r.Troubles) == 0 {
		return
	}
	line("\nWhat the processes reported:")
	for _, what := range slices.Sorted(maps.Keys(r.Troubles)) {
		line("%8d × %s", r.Troubles[what], what)
	}
}

func round(d time.Duration) time.Duration { return d.Round(time.Millisecond) }
