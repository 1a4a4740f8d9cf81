// Package early notes which names a store was asked for. What was written to them
// while it did not listen to the news of other processes is nobody's news, and has to
// be told when it listens, at first and again after each interruption.
package early

import "sync"

// most is how many names are noted; of more than that, all are told.
const most = 10_000

// Names are those asked for so far. The zero value is ready. All methods may be
// called by any number of goroutines.
type Names struct {
	mu    sync.Mutex
	names map[string]struct{}
	many  bool
}

// Note notes names.
func (n *Names) Note(names ...string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.many {
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

// All returns the names noted. many: they are too many, tell of all that are stored.
func (n *Names) All() (names []string, many bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for name := range n.names {
		names = append(names, name)
	}
	return names, n.many
}
