package tenure

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	mathrand "math/rand/v2"
	"os"
	"strings"
	"sync"
	"time"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist/record"
)

// How often one that waits asks again at least: where Freed is called, for news may be
// lost, and where it is not.
const (
	askAgain = 2 * time.Second
	askOften = 100 * time.Millisecond
)

// askLimit is how long the engine may take to answer: one that is stopped, or cut off,
// is an error and not a lease that somebody else has.
const askLimit = 5 * time.Second

// cleanUp is how long a request may take whose caller has left.
const cleanUp = 2 * time.Second

// A Keeper is the manager.Locker of one store. New makes it, Close ends it.
type Keeper struct {
	engine Engine
	life   time.Duration
	holder string // this process, for people

	mu       sync.Mutex
	leases   map[Claim]*lease
	left     map[Claim]Instant // asked for by those who have left since
	tidyAt   int               // when there are so many in left, the old ones go
	waiting  map[string]*waiters
	informed bool          // Freed is called
	running  bool          // the goroutine that renews
	wakec    chan struct{} // holds one: there is a new lease, or one less
	ended    context.Context
	end      context.CancelFunc
	wg       sync.WaitGroup
}

// New makes a Keeper whose leases live for life unless they are renewed.
func New(engine Engine, life time.Duration) *Keeper {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	k := &Keeper{engine: engine, life: life, holder: fmt.Sprintf("process %d on %s", os.Getpid(), host),
		leases: make(map[Claim]*lease), left: make(map[Claim]Instant), waiting: make(map[string]*waiters), wakec: make(chan struct{}, 1)}
	k.ended, k.end = context.WithCancel(context.Background())
	return k
}

// Close stops renewing. The leases that are still held are lost, and end by
// themselves.
func (k *Keeper) Close() {
	k.mu.Lock()
	k.end() // from now on none is made
	k.mu.Unlock()
	k.wg.Wait()
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, l := range k.leases {
		l.lose()
	}
	clear(k.leases)
}

// Lock waits until it holds the lease for name or ctx ends; then the error says
// who holds it. An engine that cannot be reached is an error at once.
func (k *Keeper) Lock(ctx context.Context, name string) (manager.Lease, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	claim := Claim{name, k.newOwner()}
	for late := false; ; {
		freedc, leave := k.wait(name) // before asking, or the news may come between
		l, holder, left, err := k.ask(ctx, claim)
		if err != nil && late {
			k.dropAsked(ctx, claim)
		}
		if l != nil || err != nil {
			leave()
			return l, err
		}
		late = holder == claim.Owner
		if k.reclaim(ctx, Claim{name, holder}) {
			leave()
			continue
		}
		again := time.NewTimer(min(left+time.Millisecond, k.pause()))
		select {
		case <-freedc:
		case <-again.C:
		case <-k.ended.Done():
		case <-ctx.Done():
			err = fmt.Errorf("the lease of %q is with %s: is it stopped?: %w", name, person(holder), ctx.Err())
		}
		again.Stop()
		leave()
		if err != nil && late {
			k.dropAsked(ctx, claim)
		}
		if err != nil {
			return nil, err
		}
	}
}

// ask tries to take the lease. Neither lease nor error: holder has it, for so long.
func (k *Keeper) ask(ctx context.Context, claim Claim) (l manager.Lease, holder string, left time.Duration, err error) {
	if k.ended.Err() != nil {
		return nil, "", 0, k.closed(claim.Name)
	}
	sent := Now()
	asking, cancel := context.WithTimeout(ctx, askLimit)
	taken, holder, left, err := k.engine.Take(asking, claim.Name, claim.Owner, k.life)
	cancel()
	switch {
	case err != nil:
		k.dropAsked(ctx, claim)
		return nil, "", 0, fmt.Errorf("the lease of %q: %w", claim.Name, err)
	case !taken:
		return nil, holder, left, nil
	case sent.Since() >= k.safe():
		return nil, claim.Owner, 0, nil // it came too late to be of use
	}
	held := k.hold(claim, sent)
	if held == nil { // closed while the engine answered
		k.dropAsked(ctx, claim)
		return nil, "", 0, k.closed(claim.Name)
	}
	return held, "", 0, nil
}

func (k *Keeper) closed(name string) error {
	return fmt.Errorf("the lease of %q: %w", name, fs.ErrClosed)
}

// dropAsked frees what a Take of unknown outcome may have taken. An engine that was
// stopped may hear of both later, in any order: who asks next looks for it.
func (k *Keeper) dropAsked(ctx context.Context, claim Claim) {
	k.mu.Lock()
	if len(k.left) >= k.tidyAt { // not each time: an engine that is away makes many
		for c, since := range k.left {
			if since.Since() > 2*k.life {
				delete(k.left, c)
			}
		}
		k.tidyAt = 2*len(k.left) + 64
	}
	k.left[claim] = Now()
	k.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUp)
	defer cancel()
	_ = k.engine.Free(ctx, claim) // otherwise it ends by itself
}

// reclaim frees a lease that one of ours has who left before the engine heard of it.
func (k *Keeper) reclaim(ctx context.Context, claim Claim) bool {
	k.mu.Lock()
	_, left := k.left[claim]
	delete(k.left, claim)
	k.mu.Unlock()
	if !left {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	if k.engine.Free(ctx, claim) != nil {
		k.mu.Lock()
		k.left[claim] = Now()
		k.mu.Unlock()
		return false
	}
	return true
}

// newOwner is random, so that nobody is taken for another, and says who it is.
func (k *Keeper) newOwner() string {
	var random [16]byte
	_, _ = rand.Read(random[:])
	return hex.EncodeToString(random[:]) + " " + k.holder
}

// person is the part of an owner for people.
func person(owner string) string {
	if _, who, ok := strings.Cut(owner, " "); ok {
		return who
	}
	return "an unknown process"
}

// waiters are those who wait for one lease.
type waiters struct {
	freedc chan struct{} // closed when it was freed
	n      int
}

// wait returns the channel that Freed closes, until leave.
func (k *Keeper) wait(name string) (freedc <-chan struct{}, leave func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	w := k.waiting[name]
	if w == nil {
		w = &waiters{freedc: make(chan struct{})}
		k.waiting[name] = w
	}
	w.n++
	return w.freedc, func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		if w.n--; w.n == 0 && k.waiting[name] == w {
			delete(k.waiting, name)
		}
	}
}

// Informed says whether Freed will be called.
func (k *Keeper) Informed(informed bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.informed = informed
}

// pause is how long one waits before it asks again: not all at the same moment.
func (k *Keeper) pause() time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	d := askOften
	if k.informed {
		d = askAgain
	}
	return d/2 + mathrand.N(d/2)
}

// Freed is news: somebody gave up the lease for name.
func (k *Keeper) Freed(name string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if w := k.waiting[name]; w != nil {
		close(w.freedc)
		delete(k.waiting, name)
	}
}

// safe is how much of a lease's life is counted on.
func (k *Keeper) safe() time.Duration { return k.life - k.life/20 }

// hold makes the lease; nil: there are no more after Close.
func (k *Keeper) hold(c Claim, sent Instant) *lease {
	l := &lease{keeper: k, claim: c, renewed: sent, lostc: make(chan struct{})}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ended.Err() != nil {
		return nil
	}
	k.leases[c] = l
	if !k.running {
		k.running = true
		k.wg.Go(k.renew)
	}
	k.wake()
	return l
}

func (k *Keeper) wake() {
	select {
	case k.wakec <- struct{}{}:
	default:
	}
}

// ErrNoLease is what a write is refused with whose lease is none of this store's.
var ErrNoLease = errors.New("the lease is of another store")

// Admit says what is wrong with a write, whatever the engine holds, and gives the
// owner of the lease under which it comes, for the engine's comparison; "": it comes
// under none. ErrLeaseLost: the lease is known to be lost, or that of another name.
func (k *Keeper) Admit(w *manager.Write) (owner string, err error) {
	if err := record.CheckWrite(w); err != nil || w.Lease == nil {
		return "", err
	}
	select {
	case <-w.Lease.Lost():
		return "", manager.ErrLeaseLost
	default:
	}
	l, ok := w.Lease.(*lease)
	if !ok || l.keeper != k {
		return "", ErrNoLease
	}
	if l.claim.Name != w.Name {
		return "", manager.ErrLeaseLost
	}
	return l.claim.Owner, nil
}
