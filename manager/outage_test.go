package manager

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"
)

// A drill is one machine in pure time, with a store that always works and a token
// endpoint that answers at once.
type drill struct {
	machine machine
	set     settings
	random  *rand.Rand
	now     int64
	answer  func(at time.Duration) error // of a refresh; nil: a new token
	sent    []time.Duration
	without time.Duration // for so long there was no usable token
	serial  int
	refresh bool // its tokens come with a refresh token
}

func newDrill(seed uint64, refreshable bool, answer func(at time.Duration) error) *drill {
	d := &drill{random: rand.New(rand.NewPCG(seed, 2)), answer: answer, now: 1, refresh: refreshable}
	d.set.world = &world{durable: true, saveLimit: 10 * time.Second, owner: [16]byte{1}}
	d.machine = newMachine("demo", &d.set)
	d.step(ask{ticket: 1})
	return d
}

func (d *drill) token() *Token {
	d.serial++
	t := &Token{AccessToken: NewSecret(time.Duration(d.serial).String()), ExpiresIn: time.Hour}
	if d.refresh {
		t.RefreshToken = NewSecret("R" + time.Duration(d.serial).String())
	}
	return t
}

// step gives the machine a message, and answers at once whatever it asks for.
func (d *drill) step(m message) {
	for todo := []message{m}; len(todo) > 0; todo = todo[1:] {
		at := moment{now: d.now, wall: storyWall + d.now, dice: d.random.Uint64(), lease: -1}
		for _, e := range d.machine.step(at, todo[0], nil) {
			switch e := e.(type) {
			case load:
				todo = append(todo, loaded{e.op, d.stored(), nil})
			case save:
				todo = append(todo, saved{e.op, nil})
			case queue:
				todo = append(todo, granted{})
			case refresh:
				d.sent = append(d.sent, time.Duration(d.now))
				answer := refreshed{attempt: e.attempt, token: d.token(), err: d.answer(time.Duration(d.now))}
				todo = append(todo, answer)
			}
		}
	}
}

// stored is what the first load finds: a token of an hour that was just issued.
func (d *drill) stored() *Snapshot {
	t := d.token()
	t.Expiry = time.Unix(0, storyWall+d.now).Add(t.ExpiresIn)
	return &Snapshot{Token: *t, Login: 1, Generation: 1, Revision: 1}
}

// run lets time pass, with callers each second.
func (d *drill) run(until time.Duration) {
	for ticket := ticket(2); d.now < int64(until); ticket++ {
		next := min(d.now+int64(time.Second), int64(until))
		for at := d.machine.deadline(); at <= next; at = d.machine.deadline() {
			d.pass(max(at, d.now))
			d.step(tick{})
		}
		d.pass(next)
		if !d.machine.published {
			d.step(ask{ticket: ticket})
		}
	}
}

func (d *drill) pass(to int64) {
	if !d.machine.published {
		d.without += time.Duration(to - d.now)
	}
	d.now = to
}

const seeds = 1000

func minutes(m, s int) time.Duration {
	return time.Duration(m)*time.Minute + time.Duration(s)*time.Second
}

// Invariants 7 and 8: one 503 at the beginning of the window costs one quiet time, while
// the token is good; not the rest of the window.
func TestScenario19OneAnswerCostsNoWindow(t *testing.T) {
	for seed := range uint64(seeds) {
		failed := false
		d := newDrill(seed, true, func(time.Duration) error {
			if failed {
				return nil
			}
			failed = true
			return Answered(errors.New("503"))
		})
		d.run(minutes(60, 0))
		if len(d.sent) != 2 || d.sent[1]-d.sent[0] > 32*time.Second || d.without > 0 {
			t.Fatalf("seed %d: sent at %v, %v without a token: want a second attempt within 32 s of the first", seed, d.sent, d.without)
		}
	}
}

// If it goes on there are six attempts and more while the token is good, none of them before
// the quiet time of the one before has passed.
func TestScenario19AnsweredThroughTheWindow(t *testing.T) {
	for seed := range uint64(seeds) {
		d := newDrill(seed, true, func(time.Duration) error { return Answered(errors.New("503")) })
		d.run(minutes(59, 49))
		if len(d.sent) < 6 {
			t.Fatalf("seed %d: attempts in the window: got %v, want at least 6", seed, d.sent)
		}
		for i := 1; i < len(d.sent); i++ {
			if gap := d.sent[i] - d.sent[i-1]; gap < 31*time.Second {
				t.Fatalf("seed %d: attempt %d came %v after the one before, while the token was good", seed, i+1, gap)
			}
		}
	}
}

// An endpoint that answers 503 from 54:00 to 60:00: a login with a refresh token is not worse
// off than one without.
func TestScenario19OutageAtTheEnd(t *testing.T) {
	var without [2]time.Duration
	var sent [2]int
	for i, refreshable := range []bool{true, false} {
		for seed := range uint64(seeds) {
			d := newDrill(seed, refreshable, func(at time.Duration) error {
				if at >= minutes(54, 0) && at < minutes(60, 0) {
					return Answered(errors.New("503"))
				}
				return nil
			})
			d.run(minutes(70, 0))
			if !d.machine.published {
				t.Fatalf("seed %d: no token ten minutes after the outage", seed)
			}
			without[i] += d.without
			sent[i] += len(d.sent)
		}
	}
	t.Logf("mean time without a token: %v with a refresh token, %v without; attempts %.1f and %.1f",
		without[0]/seeds, without[1]/seeds, float64(sent[0])/seeds, float64(sent[1])/seeds)
	if float64(without[0]) > 1.1*float64(without[1]) {
		t.Errorf("mean time without a token: got %v with a refresh token, want at most 1.1 times the %v of one without", without[0]/seeds, without[1]/seeds)
	}
}
