package persisttest

import (
	"testing"

	"example.com/tokenactor/manager"
)

// several is what a store must do that several processes use at once.
var several = []check{
	{"handles of one store", handles},
	{"one winner of many handles", oneWinnerOfHandles},
	{"increments by many handles", incrementsByHandles},
	{"reader on another handle", readerOnAnotherHandle},
	{"histories of many handles", historiesOfHandles},
}

// handleCount is how many handles are open at once.
const handleCount = 4

// handles opens a store and more handles of it.
func (s *suite) handles(tb testing.TB, n int) []manager.Store {
	all := []manager.Store{s.open(tb)}
	for len(all) < n {
		all = append(all, s.another(tb, all[0]))
	}
	return all
}

// What one handle has saved the others have from then on.
func handles(tb testing.TB, s *suite) {
	all := s.handles(tb, 2)
	one, two := all[0], all[1]
	mustSave(tb, one, write("a", 0, full()), write("b", 0, token("b")))
	stored(tb, two, write("a", 0, full()))
	mustConflict(tb, two, write("a", 0, token("as if there were none")))
	next := write("a", 1, token("by the other"))
	mustSave(tb, two, next)
	stored(tb, one, next)
	mustConflict(tb, one, write("a", 1, token("late")))
	for _, store := range all {
		if found := scan(tb, store); len(found) != 2 {
			tb.Errorf("Scan told of %d names, want 2", len(found))
		} else {
			equal(tb, `Scan of "a"`, found["a"], next.Snapshot)
		}
	}
}

// Of many handles that replace one revision, exactly one wins.
func oneWinnerOfHandles(tb testing.TB, s *suite) { oneOf(tb, s.handles(tb, handleCount)) }

// Many handles lose no increment.
func incrementsByHandles(tb testing.TB, s *suite) { countUp(tb, s.handles(tb, handleCount)) }

// A handle that reads beside one that writes sees whole snapshots, and never an
// older one after a newer.
func readerOnAnotherHandle(tb testing.TB, s *suite) {
	all := s.handles(tb, 2)
	readBeside(tb, all[0], all[1])
}
