package manager_test

import (
	"testing"
	"time"

	"github.com/benbjohnson/clock"

	"example.com/tokenactor/manager"
)

// A drive is a manager on a mock clock, as users test programs of theirs with it.
// The heartbeat is off, and the clock goes from event to event.
type drive struct {
	mock       *clock.Mock
	credential *manager.Credential
	refresher  *issuer
	eventc     chan manager.Event
}

func newDrive(t *testing.T, life time.Duration) *drive {
	d := &drive{mock: clock.NewMock(), refresher: &issuer{life: life}, eventc: make(chan manager.Event, 1000)}
	d.mock.Set(time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC))
	m := begin(t, manager.Config{Clock: d.mock, Heartbeat: -1, OnEvent: func(e manager.Event) { d.eventc <- e }})
	d.credential = m.Manage("billing", d.refresher)
	mustToken(t, d.credential, "T1")
	d.await(manager.EventRefreshed)
	return d
}

// await waits for an event of that kind.
func (d *drive) await(kind manager.EventKind) manager.Event {
	for {
		if e := <-d.eventc; e.Kind == kind {
			return e
		}
	}
}

// next moves the clock to the next renewal, waits until it is done, and returns
// how long that was.
func (d *drive) next(t *testing.T) time.Duration {
	t.Helper()
	wait := d.credential.Status().NextAttempt.Sub(d.mock.Now())
	d.mock.Add(wait)
	if e := d.await(manager.EventRefreshed); !e.At.Equal(d.mock.Now()) {
		t.Errorf("renewed at %v, want %v", e.At, d.mock.Now())
	}
	return wait
}

// Invariants 6 and 7: an hour. The token is renewed when that is due, not before.
func TestMockClockThroughAnHour(t *testing.T) {
	d := newDrive(t, time.Hour)
	start := d.mock.Now()
	d.mock.Add(d.credential.Status().NextAttempt.Sub(start) - time.Second)
	mustToken(t, d.credential, "T1")
	d.refresher.expectCalls(t, 1)
	if wait := d.next(t); wait != time.Second {
		t.Errorf("a second before the renewal: %v to go", wait)
	}
	token := mustToken(t, d.credential, "T2")
	if want := d.mock.Now().Add(time.Hour); !token.Expiry.Equal(want) {
		t.Errorf("expiry of the new token: got %v, want %v", token.Expiry, want)
	}
	d.mock.Set(start.Add(time.Hour))
	mustToken(t, d.credential, "T2")
	d.refresher.expectCalls(t, 2)
}

// The same from event to event, through a day.
func TestMockClockThroughADay(t *testing.T) {
	d := newDrive(t, time.Hour)
	start := d.mock.Now()
	renewals := 1
	for d.mock.Now().Sub(start) < 24*time.Hour {
		if wait := d.next(t); wait < 54*time.Minute || wait > 55*time.Minute {
			t.Errorf("renewal %d came after %v, want 55m less the jitter", renewals, wait)
		}
		renewals++
		mustToken(t, d.credential, "")
	}
	d.refresher.expectCalls(t, renewals)
	if renewals < 26 || renewals > 28 {
		t.Errorf("renewals in a day: got %d, want 27", renewals)
	}
}
