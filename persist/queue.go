package persist

import (
	"slices"
	"sync"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist/record"
)

// A turn is the right to write to the file: a mutex for which one can wait
// beside other things.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

func (t turn) Lock()   { t <- struct{}{} }
func (t turn) Unlock() { <-t }

// A call is one Save. Whoever has the turn carries it out.
type call struct {
	entries []entry
	errs    []error       // of the writes
	donec   chan struct{} // closed when errs are final
}

// An entry is a write of a call.
type entry struct {
	*manager.Write
	record []byte // bbolt keeps it until the commit
	err    *error
}

// newCall makes the records: that is done on each caller's own goroutine, and
// not while all wait for one.
func newCall(sealer *record.Sealer, writes []manager.Write) *call {
	c := &call{
		entries: make([]entry, len(writes)),
		errs:    make([]error, len(writes)),
		donec:   make(chan struct{}),
	}
	const usual = 256 // bytes of a record; more is made room for
	buf := make([]byte, 0, usual*len(writes))
	for i := range writes {
		w, begin := &writes[i], len(buf)
		buf = sealer.Append(buf, w.Name, w.Snapshot)
		c.entries[i] = entry{w, buf[begin:], &c.errs[i]}
	}
	return c
}

// A queue holds the calls that nobody has taken into a transaction, in the order
// in which they came. The zero value is an empty one.
type queue struct {
	mu    sync.Mutex
	calls []*call
}

func (q *queue) put(c *call) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.calls = append(q.calls, c)
}

// take returns all calls.
func (q *queue) take() []*call {
	q.mu.Lock()
	defer q.mu.Unlock()
	calls := q.calls
	q.calls = nil
	return calls
}

// remove reports whether c was still there.
func (q *queue) remove(c *call) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(q.calls, c)
	if i >= 0 {
		q.calls = slices.Delete(q.calls, i, i+1)
	}
	return i >= 0
}

// answer gives each write of calls that has no error of its own err, and lets
// the callers go.
func answer(calls []*call, err error) {
	if err != nil {
		recant(calls)
	}
	for _, c := range calls {
		fill(c.errs, err)
		close(c.donec)
	}
}

// recant takes back each conflict with a write in the same transaction, which has
// failed: it may be that nothing else stands in the way.
func recant(calls []*call) {
	stored := make(map[string]bool)
	for _, c := range calls {
		for _, e := range c.entries {
			stored[e.Name] = stored[e.Name] || *e.err == nil
		}
	}
	for _, c := range calls {
		for _, e := range c.entries {
			if *e.err == manager.ErrConflict && stored[e.Name] {
				*e.err = nil
			}
		}
	}
}
