package scene

import (
	"errors"
	"sync/atomic"
	"testing"
)

func TestCrewWarmsUpThenWaitsAtTheGate(t *testing.T) {
	const callers = 50
	var warm, worked atomic.Int32
	var numbers [callers]atomic.Int32
	c := NewCrew(callers, func() { warm.Add(1) }, func(caller int) error {
		worked.Add(1)
		numbers[caller].Add(1)
		return nil
	})
	if warm.Load() != callers || worked.Load() != 0 {
		t.Errorf("before Run %d callers are warm and %d at work, want %d and 0", warm.Load(), worked.Load(), callers)
	}
	if d, err := c.Run(); err != nil || d <= 0 {
		t.Errorf("Run = %v, %v, want the time it took", d, err)
	}
	for caller := range numbers {
		if n := numbers[caller].Load(); n != 1 {
			t.Errorf("caller %d worked %d times, want once", caller, n)
		}
	}
}

func TestCrewReturnsAnError(t *testing.T) {
	broken := errors.New("broken")
	c := NewCrew(3, func() {}, func(caller int) error {
		if caller > 0 {
			return broken
		}
		return nil
	})
	if _, err := c.Run(); err != broken {
		t.Errorf("Run gives the error %v, want %v", err, broken)
	}
}
