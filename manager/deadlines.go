package manager

// deadlines is a 4-ary heap of credentials, which are numbers here, by their next
// deadline: half the height of a binary one, and the four children share a cache line.
type deadlines struct {
	at     []int64 // the heap
	of     []int32 // whose
	places []int32 // where in the heap each credential is, from 1; 0: nowhere
}

// next is the earliest deadline, never if there is none.
func (h *deadlines) next() int64 {
	if len(h.at) == 0 {
		return never
	}
	return h.at[0]
}

// first is whose the earliest deadline is.
func (h *deadlines) first() int32 { return h.of[0] }

// due is the deadline of a credential, never if it has none.
func (h *deadlines) due(n int32) int64 {
	if int(n) >= len(h.places) || h.places[n] == 0 {
		return never
	}
	return h.at[h.places[n]-1]
}

// set moves, adds or, for never, removes a credential's deadline. What has no number
// any more gets none.
func (h *deadlines) set(n int32, at int64) {
	if n == 0 {
		return
	}
	if missing := int(n) + 1 - len(h.places); missing > 0 {
		h.places = append(h.places, make([]int32, missing)...)
	}
	i := int(h.places[n]) - 1
	switch {
	case i < 0 && at == never:
		return
	case i < 0:
		h.at, h.of = append(h.at, at), append(h.of, n)
		h.up(len(h.at)-1, at, n)
	case at == never:
		h.remove(i)
	case at < h.at[i]:
		h.up(i, at, n)
	case at > h.at[i]:
		h.down(i, at, n)
	}
}

func (h *deadlines) remove(i int) {
	last := len(h.at) - 1
	at, n := h.at[last], h.of[last]
	h.places[h.of[i]] = 0
	h.at, h.of = h.at[:last], h.of[:last]
	if i == last {
		return
	}
	h.down(i, at, n)
	if int(h.places[n]) == i+1 {
		h.up(i, at, n)
	}
}

// up puts the deadline into place i or nearer to the first.
func (h *deadlines) up(i int, at int64, n int32) {
	for i > 0 {
		parent := (i - 1) / 4
		if h.at[parent] <= at {
			break
		}
		h.put(i, h.at[parent], h.of[parent])
		i = parent
	}
	h.put(i, at, n)
}

// down puts the deadline into place i or farther from the first.
func (h *deadlines) down(i int, at int64, n int32) {
	for {
		child := 4*i + 1
		if child >= len(h.at) {
			break
		}
		least := child
		for j := child + 1; j < min(child+4, len(h.at)); j++ {
			if h.at[j] < h.at[least] {
				least = j
			}
		}
		if at <= h.at[least] {
			break
		}
		h.put(i, h.at[least], h.of[least])
		i = least
	}
	h.put(i, at, n)
}

func (h *deadlines) put(i int, at int64, n int32) {
	h.at[i], h.of[i], h.places[n] = at, n, int32(i+1)
}
