package manager

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/benbjohnson/clock"
)

// mailboxSize is how many messages may wait before their senders do. The loop
// takes some microseconds for each.
const mailboxSize = 256

// lead is how early the loop wakes for a deadline on the real clock, since timers
// come late by a millisecond at times, and a token must not outlive its deadline.
const lead = 2 * time.Millisecond

// An envelope is a message and whom it is for.
type envelope struct {
	to      *Credential
	message message
	round   *round // who waits for the message's ticket; nil: nobody
}

// An actor is the one goroutine that owns the state of all credentials. It takes
// a message from the mailbox, or the passing of a deadline, has the machine of
// the credential say what to do, and does it in that order. It never blocks: all
// that may take time happens on other goroutines and comes back as a message.
type actor struct {
	mailbox chan envelope
	stopc   chan struct{} // closed by the first Shutdown
	abortc  chan struct{} // closed when Shutdown's patience has ended
	donec   chan struct{} // closed when the loop has ended
	alwaysc chan struct{} // closed from the beginning
	tickets atomic.Uint64
	once    sync.Once // stopc
	abort   sync.Once // abortc
	wg      sync.WaitGroup

	evidence sync.Map     // *Credential → *evidence, of those of which there is some
	gathered atomic.Int64 // how many

	revoking chan struct{} // holds one for each call of a Revoker under way

	// Written once before the loop starts.
	config   Config
	clock    clock.Clock
	now      func() (wall, monotonic int64)
	lead     int64
	registry *registry
	reader   *worker[load]
	writer   *worker[save]
	herald   *herald
	stats    stats

	// Loop only.
	time      machineTime
	timer     *clock.Timer
	armed     int64 // the timer's machine time
	expiring  int   // published tokens with an expiry
	deadlines deadlines
	slots     slots // of refreshes
	leases    slots // of leases that are waited for, or held while a refresh is
	gates     gates
	flights   map[*Credential]*flight
	rounds    map[ticket]*round
	leaving   map[*Credential]struct{}
	stopping  bool
	effects   []effect
	unsaved   []error // of credentials that are gone

	// Written by the loop before donec is closed.
	err error
}

// A flight is what the loop holds for a credential that is being renewed.
type flight struct {
	lease  Lease
	wait   *wait              // for the lease
	leased place              // among those who wait for leases, or hold one for a refresh to come
	slot   place              // among the refreshes
	cancel context.CancelFunc // of the refresh

	revocations revocations
}

func (f *flight) empty() bool {
	return f.lease == nil && f.wait == nil && f.leased == (place{}) && f.slot == (place{}) && f.cancel == nil && f.revocations.busy == 0
}

func newActor(config Config) *actor {
	a := &actor{
		mailbox:  make(chan envelope, mailboxSize),
		stopc:    make(chan struct{}),
		abortc:   make(chan struct{}),
		donec:    make(chan struct{}),
		alwaysc:  make(chan struct{}),
		revoking: make(chan struct{}, maxRevocations),
		config:   config,
		clock:    config.clock(),
		registry: newRegistry(),
		flights:  make(map[*Credential]*flight),
		rounds:   make(map[ticket]*round),
		leaving:  make(map[*Credential]struct{}),
		slots:    newSlots(config.refreshes(), config.perGroup(), func(f *flight) *place { return &f.slot }),
		leases:   newSlots(leasesPerSlot*config.refreshes(), leasesPerSlot*config.perGroup(), func(f *flight) *place { return &f.leased }),
	}
	if config.Clock == nil {
		a.lead = int64(lead)
	}
	begin := a.clock.Now()
	a.now = func() (wall, monotonic int64) {
		now := a.clock.Now()
		return now.UnixNano(), int64(now.Sub(begin))
	}
	close(a.alwaysc)
	a.reader = newWorker(a.loadAll)
	a.writer = newWorker(a.saveAll)
	a.herald = newHerald(config, &a.stats)
	return a
}

func (a *actor) start() {
	a.time.read(a.now())
	a.timer = a.clock.Timer(time.Hour)
	a.armed = a.time.now + int64(time.Hour)
	a.wg.Go(a.herald.run)
	if a.config.Store != nil {
		a.wg.Go(func() { a.reader.run(a.donec) })
		a.wg.Go(func() { a.writer.run(a.donec) })
	}
	go a.loop()
}

func (a *actor) newTicket() ticket { return ticket(a.tickets.Add(1)) }

// post puts a message into the mailbox. It waits for the loop only, and not
// after its end.
func (a *actor) post(e envelope) {
	select {
	case a.mailbox <- e:
	case <-a.donec:
	}
}

func (a *actor) loop() {
	defer close(a.donec)
	defer a.timer.Stop()
	stopc, abortc := a.stopc, a.abortc
	for !a.stopping || len(a.leaving) > 0 {
		duec := a.arm()
		select {
		case e := <-a.mailbox:
			a.time.read(a.now())
			a.deliver(e)
			for range len(a.mailbox) {
				a.deliver(<-a.mailbox)
			}
		case <-a.timer.C:
			a.armed = never
			a.time.read(a.now())
		case <-duec:
		case <-stopc:
			stopc = nil
			a.time.read(a.now())
			a.stop()
		case <-abortc:
			a.abandon()
			abortc = nil
		}
		a.wake()
		a.dispatch()
	}
	a.end()
}

// deliver gives a message to its machine.
func (a *actor) deliver(e envelope) {
	switch m := e.message.(type) {
	case scanned:
		for _, f := range m.findings {
			a.step(f.of, found{f.snapshot})
		}
		return
	case inspect:
		m.to <- e.to.machine.status(a.moment(e.to))
		return
	case refreshed:
		a.landed(e.to)
	case revoked:
		a.flight(e.to).revocations.returned()
	case locked:
		if !a.held(e.to, &m) {
			return
		}
		e.message = m
	case leave:
		if _, ok := a.leaving[e.to]; ok {
			return
		}
		a.leaving[e.to] = struct{}{}
	}
	if e.round != nil {
		a.rounds[e.round.ticket] = e.round
	}
	a.step(e.to, e.message)
}

// step makes one turn of a machine and carries out what it says.
func (a *actor) step(c *Credential, m message) {
	a.effects = c.machine.step(a.moment(c), m, a.effects[:0])
	for _, e := range a.effects {
		a.perform(c, e)
	}
	clear(a.effects)
	a.deadlines.set(c.number, c.machine.deadline())
	if f := a.flights[c]; f != nil && f.empty() {
		delete(a.flights, c)
	}
	if len(a.leaving) > 0 {
		a.see(c)
	}
}

// moment is what a machine may know of the world.
func (a *actor) moment(c *Credential) moment {
	at := moment{now: a.time.now, wall: a.time.wall, dice: rand.Uint64(), group: a.gates.outlook(c, a.time.now)}
	if f := a.flights[c]; f != nil && f.lease != nil {
		at.lease = int64(f.lease.Remaining())
	}
	return at
}

// perform carries out one effect.
func (a *actor) perform(c *Credential, e effect) {
	switch e := e.(type) {
	case load:
		a.reader.put(job[load]{c, e, nil})
	case save:
		j := job[save]{c, e, nil}
		if e.fenced {
			j.lease = a.flight(c).lease
		}
		a.writer.put(j)
	case lock:
		a.lock(c, e)
	case unlock:
		a.unlock(c)
	case queue:
		a.slots.queue(c, a.flight(c), lineOf(e.early, e.suspected))
	case begun:
		a.gates.begin(c, a.time.now, e)
	case told:
		a.gates.hear(c, a.time.now, rand.Uint64(), e)
	case yield:
		a.slots.free(c, a.flight(c))
	case refresh:
		a.refresh(c, e)
	case revoke:
		a.revoke(c, e.token)
	case cancel:
		if f := a.flights[c]; f != nil && f.cancel != nil {
			f.cancel()
		}
	case publish:
		a.publish(c, e.token)
	case withdraw:
		a.publish(c, nil)
	case reply:
		a.reply(c, e)
	case event:
		a.say(c, e.Event)
	default:
		unknown("effect", e)
	}
}

func (a *actor) flight(c *Credential) *flight {
	f := a.flights[c]
	if f == nil {
		f = &flight{}
		a.flights[c] = f
	}
	return f
}

// publish shows t to the lock-free readers, or for nil hides what is shown.
func (a *actor) publish(c *Credential, t *Token) {
	if before := c.published.Load(); before != nil && !before.Expiry.IsZero() {
		a.expiring--
	}
	if t != nil && !t.Expiry.IsZero() {
		a.expiring++
	}
	if t != nil && c.machine.set.policy.Settle > 0 {
		c.gather().arrived(c.sinceStart(), versionOf(t))
	}
	c.published.Store(t)
}

// reply ends a round. It is taken from the credential first, so that later
// callers begin another.
func (a *actor) reply(c *Credential, e reply) {
	r := a.rounds[e.ticket]
	if r == nil {
		return
	}
	delete(a.rounds, e.ticket)
	c.round.CompareAndSwap(r, nil)
	r.token, r.err = e.token, e.err
	close(r.donec)
}

// say passes an event on. Nobody waits for its reader.
func (a *actor) say(c *Credential, e Event) {
	e.Credential = c.machine.name
	e.At = time.Unix(0, a.time.wall)
	a.stats.count(e.Kind)
	a.herald.tell(e)
}
