// Package early notes which names a store was asked for before it listened to the
// news of other processes: what was written to them in between is nobody's news.
package early

import "sync"

// most is how many names are noted; of more than that, all are told.
const most = 10_000

// Names are those asked for so far. The zero value is ready. All methods may be
// called by any number of goroutines.
type Names struct {
	mu       sync.Mutex
	names    map[string]struct{}
	many     bool
	listened bool
}

// Note notes names, until All was called.
func (n *Names) Note(names ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.listened || n.many {
		return
	}
	if n.names == nil {
		n.names = make(map[string]struct{})
	}
	for _, name := range names {
		n.names[name] = struct{}{}
	}
	if n.many = len(n.names) > most; n.many {
		n.names = nil
	}
}

// All gives the names noted, and ends the noting. many: they are too many, or were
// given before, tell of all that are stored.
func (n *Names) All() (names []string, many bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for name := range n.names {
		names = append(names, name)
	}
	many = n.many || n.listened
	n.names, n.many, n.listened = nil, false, true
	return names, many
}
