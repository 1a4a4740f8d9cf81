package manager

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// FuzzMachine lets a schedule of bytes decide over everything that can happen to
// one machine, and checks the invariants of docs/design.md that show at it: 1, 4,
// 5, 6, 8, 9, 10, 13, that every caller is answered in the end, and that no slot,
// lease or write is left behind.
func FuzzMachine(f *testing.F) {
	for seed := range uint64(200) {
		f.Add(schedule(seed, 150))
	}
	f.Fuzz(func(t *testing.T, data []byte) { try(t, data) })
}

// TestRandomSchedules is the same with ten thousand schedules, always the same.
func TestRandomSchedules(t *testing.T) {
	for seed := range uint64(10000) {
		try(t, schedule(seed+1000, 60))
		if t.Failed() {
			return
		}
	}
}

func schedule(seed uint64, n int) []byte {
	random := rand.New(rand.NewPCG(seed, 1))
	data := make([]byte, n+int(seed%200))
	for i := range data {
		data[i] = byte(random.Uint32())
	}
	return data
}

// try runs one schedule and tells the story of one that breaks an invariant.
func try(t *testing.T, data []byte) {
	t.Helper()
	if broken := run(newTrial(data)); broken != nil {
		again := newTrial(data)
		again.trace = &strings.Builder{}
		run(again)
		t.Errorf("schedule %x: %v\n%s", data, broken, again.trace)
	}
}

// run gives what was broken, or a panic of the machine, nil if all is well.
func run(t *trial) (broken any) {
	defer func() { broken = recover() }()
	for len(t.data) > 0 {
		t.act()
	}
	t.calmDown()
	t.settled()
	t.heal()
	return nil
}

// act lets one thing happen.
func (t *trial) act() {
	switch choice := t.draw(); choice % 32 {
	case 0, 1, 2, 3:
		t.next++
		t.open[t.next] = nil
		var rejected *Token
		switch {
		case choice&32 != 0 && t.last != nil:
			rejected = t.last
		case choice&64 != 0:
			rejected = &Token{AccessToken: NewSecret("elsewhere")}
		}
		t.open[t.next], t.patient[t.next] = rejected, choice&128 != 0
		t.step(ask{t.next, rejected, choice&128 != 0})
	case 4:
		if choice&192 != 0 {
			t.more(choice>>5 - 2)
			return
		}
		if t.leaving {
			return
		}
		t.next++
		token := t.fresh(choice&32 != 0)
		t.vary(token)
		t.descends(token, nil)
		t.open[t.next], t.logins[t.next] = nil, token
		t.step(install{t.next, token})
	case 5:
		if choice&192 != 0 {
			t.more(choice>>5 - 2)
			return
		}
		if t.leaving {
			return
		}
		t.next++
		t.open[t.next], t.logins[t.next] = nil, nil
		t.step(forget{t.next})
	case 6:
		if t.last != nil {
			t.step(replayed{t.last, choice&32 != 0})
		}
	case 7:
		if !t.set.durable {
			return
		}
		t.step(news{t.stored.Revision + uint64(choice>>7)})
	case 8, 9:
		t.siblingWrites(choice)
	case 10:
		if choice&224 != 0 {
			t.more(choice>>5 - 1)
			return
		}
		t.note("-- crash, restart")
		t.start()
	case 11:
		if choice&224 != 0 {
			t.more(choice>>5 - 1)
			return
		}
		t.leaving = true
		t.step(leave{ErrReleased})
	case 12:
		if t.lease != 0 {
			t.lease = t.now // lost
		}
	case 13: // late writes, and late answers to nothing that was asked
		for _, w := range t.late {
			t.note("-- a late write of revision %d: %v", w.snapshot.Revision, t.apply(w))
		}
		t.late = nil
		t.step(saved{t.machine.op - 1, nil})
		t.step(loaded{t.machine.op + 1, &Snapshot{Revision: 9, Generation: 99}, nil})
		t.step(refreshed{uint64(t.machine.attempt) + 1, t.fresh(true), nil})
	case 14, 15:
		t.now += int64(choice) * int64(time.Millisecond)
		t.ticks()
	case 16, 17, 18:
		if d := t.machine.deadline(); d != never && d-t.now < int64(24*time.Hour) {
			t.now = max(t.now, d)
			t.ticks()
		}
	case 19, 20, 21:
		t.answerStore(choice)
	case 22:
		t.grant()
	case 23, 24:
		t.answerLock(choice)
	case 25, 26, 27, 28:
		t.answerRefresh(choice)
	default:
		t.answerStore(0)
		t.grant()
	}
}

// ticks gives the ticks that are due, and one must do.
func (t *trial) ticks() {
	for range 3 { // a time limit may have passed together with the next
		if t.machine.deadline() > t.now {
			return
		}
		t.step(tick{})
	}
	if d := t.machine.deadline(); d <= t.now {
		t.fail("after a tick the machine wants another at once")
	}
}

func (t *trial) grant() {
	if t.queued {
		t.queued, t.slot = false, true
		t.step(granted{})
	}
}

func (t *trial) answerLock(choice byte) {
	if !t.locking {
		return
	}
	t.locking = false
	if choice>>5 == 1 {
		t.step(locked{err: errOutage})
		return
	}
	t.lease = -1
	if choice>>5 == 2 {
		t.lease = t.now + int64(choice)*int64(time.Second)
	}
	t.step(locked{})
}

func (t *trial) answerStore(choice byte) {
	switch {
	case t.load:
		t.load = false
		s := t.stored
		if choice>>5 == 1 {
			t.step(loaded{t.question.op, nil, errOutage})
		} else {
			t.step(loaded{t.question.op, &s, nil})
		}
	case t.save:
		t.save = false
		switch choice >> 5 {
		case 1: // failed, and not applied
			t.step(saved{t.write.op, errOutage})
		case 2: // its outcome is unknown
			_ = t.apply(t.write)
			t.step(saved{t.write.op, errOutage})
		default:
			t.step(saved{t.write.op, t.apply(t.write)})
		}
	}
}

// calmDown answers everything well and lets an hour and more pass.
func (t *trial) calmDown() {
	t.calm = true
	t.group = outlook{}
	t.note("-- calm")
	if t.lease > 0 && t.lease <= t.now {
		t.lease = t.now + 1 // lost it stays
	}
	end := t.now + int64(30*time.Minute)
	for range 2000 + 2*len(t.open) { // each Forget and Install waits for a save of its own
		t.answerStore(0)
		t.grant()
		t.answerLock(0)
		if t.flight != nil {
			t.answerRefresh(192)
		}
		if t.load || t.save || t.queued || t.locking || t.flight != nil {
			continue
		}
		if t.set.reader && t.now > end-int64(25*time.Minute) && len(t.open) > 0 && t.onlyPatient() {
			return // they wait for what another process stores
		}
		d := t.machine.deadline()
		if d > end && len(t.open) == 0 {
			return
		}
		if d == never {
			return
		}
		t.now = max(t.now, d)
		t.ticks()
	}
	t.fail("it never comes to rest")
}

// heal lets callers come until one has a token: within two hours, or where the server's
// refusals were not understood within some days. Only a refusal and a logout stay.
func (t *trial) heal() {
	if !t.wide || t.leaving || t.set.reader {
		return
	}
	end := t.now + int64(maxRetryAfter+permanentMost+10*time.Minute)
	if w := t.machine.work; w != nil && !w.suspicion.IsZero() || !t.stored.Suspicion.IsZero() {
		end = t.now + int64(3*suspectDay)
	}
	for range 2000 {
		if len(t.open) == 0 {
			if t.next > 0 && t.outcomes[t.next] {
				return
			}
			t.next++
			t.open[t.next], t.patient[t.next] = nil, true
			t.step(ask{t.next, nil, true})
		}
		t.answerStore(0)
		t.grant()
		t.answerLock(0)
		if t.flight != nil {
			t.answerRefresh(192)
		}
		if t.load || t.save || t.queued || t.locking || t.flight != nil || t.outcomes[t.next] {
			continue
		}
		if t.now > end {
			t.fail("it never heals")
		}
		soon := t.now + int64(10*time.Minute) // callers go on to ask: of a token at rest nobody else would
		t.now = min(max(t.now, t.machine.deadline()), soon)
		t.ticks()
	}
	t.fail("it never heals")
}
