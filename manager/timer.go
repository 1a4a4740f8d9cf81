package manager

import "time"

// wake gives a tick to the machines whose deadline has come. Each gets one in a
// turn of the loop: one that asked again at once could not stop the others.
func (a *actor) wake() {
	var again []*Credential
	for a.deadlines.next() <= a.time.ahead(a.lead) {
		c := a.registry.numbered(a.deadlines.first())
		a.time.reach(a.deadlines.next())
		a.step(c, tick{})
		if a.deadlines.due(c.number) <= a.time.ahead(a.lead) {
			a.deadlines.set(c.number, never)
			again = append(again, c)
		}
	}
	for _, c := range again {
		a.deadlines.set(c.number, c.machine.deadline())
	}
}

// arm sets the one timer to the next deadline, to when a long refresh lends its slot to
// one that waits, or to the heartbeat by which a sleep of the machine is noticed. Where a deadline has come already, or the clock
// has moved meanwhile, as a mock's does, it returns a closed channel: turn again.
func (a *actor) arm() <-chan struct{} {
	next := min(a.deadlines.next(), a.slots.wakeAt())
	if beat := a.config.heartbeat(); beat > 0 && a.expiring > 0 {
		next = min(next, a.time.now+int64(beat))
	}
	if a.armed > a.time.now && a.armed <= next || next == never {
		return nil // it wakes in time, perhaps for nothing
	}
	a.time.read(a.now())
	// A mock clock hangs for ever on a Reset of a timer that fired unreceived.
	if !a.timer.Stop() {
		select {
		case <-a.timer.C:
		default:
		}
	}
	a.armed = next
	before := a.time.elapsed
	a.timer.Reset(time.Duration(max(next-a.time.ahead(a.lead), 0)))
	a.time.read(a.now())
	if next > a.time.ahead(a.lead) && a.time.elapsed-before < int64(lead) {
		return nil
	}
	a.armed = 0
	return a.alwaysc
}
