package scene

import (
	"math"
	"runtime"
	"time"
)

// spent is what a number of calls took.
type spent struct {
	calls          int
	wall, cpu      time.Duration // cpu: of all threads of this process
	mallocs, bytes uint64        // of all goroutines
}

// atFirst is with how many calls fill begins: so many that two hiccups in a row do
// not pass for what a few calls take.
const atFirst = 1000

// fill tries more and more calls, shared by a crew of goroutines, until they take
// about d, and returns what they took. The runs before the last are the warm-up;
// the last but one was long enough to tell how many calls fill d, so that one
// hiccup does not pass for a full run.
func fill(goroutines int, d time.Duration, crew func(calls int) *Crew) (spent, error) {
	idle := Idle(goroutines)
	for n, warm := max(goroutines, atFirst), false; ; {
		runtime.GC() // nobody pays for the garbage of the one before; later it would shrink the stacks
		s, err := spend(n, crew(n))
		if err != nil {
			return s, err
		}
		working := s.wall - idle
		if warm && working > d*3/4 {
			return s, nil
		}
		warm = working > d/4
		growth := float64(d) / float64(max(working, s.wall/10, 1)) // idle is not exact
		if !warm {
			growth = min(100, max(1.5, growth))
		}
		n = max(goroutines, int(float64(n)*growth))
	}
}

func spend(calls int, crew *Crew) (spent, error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu := cpuTime()
	wall, err := crew.Run()
	cpu = cpuTime() - cpu
	runtime.ReadMemStats(&after)
	return spent{calls, wall, cpu, after.Mallocs - before.Mallocs, after.TotalAlloc - before.TotalAlloc}, err
}

// perCall gives the time per call in units.
func (s spent) perCall(d, unit time.Duration) float64 {
	return float64(d) / float64(unit) / float64(s.calls)
}

// eachAllocates gives the allocations and the bytes per call, to a hundredth:
// what is finer is the runtime's own doing.
func (s spent) eachAllocates() (allocs, bytes float64) {
	each := func(n uint64) float64 { return math.Round(float64(n)/float64(s.calls)*100) / 100 }
	return each(s.mallocs), each(s.bytes)
}

// share is the part of n calls that one of the callers makes: each does its own,
// so that none can starve unseen.
func share(n, callers, caller int) int {
	part := n / callers
	if caller < n%callers {
		part++
	}
	return part
}
