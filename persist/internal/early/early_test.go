package early

import (
	"fmt"
	"slices"
	"testing"
)

// Names are told each time, since there may be another interruption; of too many,
// all that are stored.
func TestNames(t *testing.T) {
	var n Names
	if names, many := n.All(); len(names) > 0 || many {
		t.Errorf("All of none: %q, %t", names, many)
	}
	n.Note("a", "b")
	n.Note("a")
	for range 2 {
		names, many := n.All()
		slices.Sort(names)
		if !slices.Equal(names, []string{"a", "b"}) || many {
			t.Errorf("All: %q, %t, want a and b", names, many)
		}
	}
	for i := range most - 2 {
		n.Note(fmt.Sprint(i))
	}
	if names, many := n.All(); len(names) != most || many {
		t.Errorf("All of %d: %d names, %t", most, len(names), many)
	}
	n.Note("one more")
	n.Note("a")
	if names, many := n.All(); len(names) > 0 || !many {
		t.Errorf("All of more than %d: %d names, %t, want none and many", most, len(names), many)
	}
}
