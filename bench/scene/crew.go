package scene

import (
	"sync"
	"time"
)

// A Crew is a number of callers that wait at a gate, each on a goroutine of its
// own, so that making them is no part of what is timed.
type Crew struct {
	gatec chan struct{} // closed when work begins
	done  sync.WaitGroup

	failed sync.Once
	err    error // the first
}

// NewCrew returns when all callers are there. Each has then called warm, which
// lets its stack grow, and will call work with its number, from 0. Run must follow.
func NewCrew(callers int, warm func(), work func(caller int) error) *Crew {
	c := &Crew{gatec: make(chan struct{})}
	var ready sync.WaitGroup
	ready.Add(callers)
	for caller := range callers {
		c.done.Go(func() {
			warm()
			ready.Done()
			<-c.gatec
			if err := work(caller); err != nil {
				c.failed.Do(func() { c.err = err })
			}
		})
	}
	ready.Wait()
	return c
}

// Run opens the gate and waits for the last caller. It returns how long that
// took, and the first error. It works once.
func (c *Crew) Run() (time.Duration, error) {
	start := time.Now()
	close(c.gatec)
	c.done.Wait()
	return time.Since(start), c.err
}

// Idle is what a Crew without work takes: waking and ending its callers. It is
// a part of every timed run.
func Idle(callers int) time.Duration {
	d, _ := NewCrew(callers, func() {}, func(int) error { return nil }).Run()
	return d
}
