package manager

import (
	"math/rand/v2"
	"testing"
)

// TestDeadlines sets, moves and removes deadlines in no order, beside a map: the
// earliest is always first, and every credential has the one that it was given last.
func TestDeadlines(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var h deadlines
	model := make(map[int32]int64)
	for i := range 20_000 {
		n := 1 + random.Int32N(200)
		at := random.Int64N(1000)
		switch {
		case i%1000 == 999:
			for n := range int32(201) { // all but a few
				if random.IntN(20) > 0 {
					h.set(n, never)
					delete(model, n)
				}
			}
			continue
		case random.IntN(4) == 0:
			h.set(n, never)
			delete(model, n)
		default:
			h.set(n, at)
			model[n] = at
		}
		earliest := int64(never)
		for _, at := range model {
			earliest = min(earliest, at)
		}
		if got := h.next(); got != earliest {
			t.Fatalf("after %d steps the earliest deadline is %d, want %d", i, got, earliest)
		}
		if earliest != never && model[h.first()] != earliest {
			t.Fatalf("after %d steps the first is credential %d, whose deadline is %d, not %d", i, h.first(), model[h.first()], earliest)
		}
		want, ok := model[n]
		if !ok {
			want = never
		}
		if got := h.due(n); got != want {
			t.Fatalf("after %d steps the deadline of credential %d is %d, want %d", i, n, got, want)
		}
	}
	if len(h.at) != len(model) || len(h.of) != len(model) {
		t.Errorf("there are %d and %d entries for %d deadlines", len(h.at), len(h.of), len(model))
	}
}

// TestDeadlineOfNobody: number 0 is that of credentials that were dropped.
func TestDeadlineOfNobody(t *testing.T) {
	var h deadlines
	h.set(0, 5)
	if got := h.next(); got != never {
		t.Errorf("a dropped credential got the deadline %d", got)
	}
}
