package manager

// machineTime is the loop's own time: it grows by the larger of the monotonic
// and the wall clock's progress and never goes back. So a sleep of the machine
// counts, a clock that jumps forth costs one refresh at most, and one that
// jumps back is ignored.
type machineTime struct {
	now       int64 // what machines are told
	elapsed   int64 // what the clocks say; now may be ahead by lead
	wall      int64
	monotonic int64
}

func (m *machineTime) read(wall, monotonic int64) {
	if m.now > 0 { // not the first reading
		m.elapsed += max(wall-m.wall, monotonic-m.monotonic, 0)
	}
	m.wall, m.monotonic = wall, monotonic
	m.reach(m.elapsed + 1) // 0 is the time of what never happened
}

// ahead is until when deadlines have come: lead before their time by the clocks,
// however far reach has gone, or it would run away from them.
func (m *machineTime) ahead(lead int64) int64 { return max(m.now, m.elapsed+1+lead) }

// reach moves now to a deadline for which the loop woke early.
func (m *machineTime) reach(at int64) { m.now = max(m.now, at) }
