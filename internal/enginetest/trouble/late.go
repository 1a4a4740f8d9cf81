//go:build unix

package trouble

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"example.com/tokenactor/manager"
)

// shortLease outlives a refresh of 2 s and a save of 2 s by a little more than it has to.
const shortLease = 8 * time.Second

// A stopped process is a Store whose first write under a lease is held up, with all
// that its process sends.
type stopped struct {
	manager.Store
	wire     *Wire
	once     sync.Once
	stoppedc chan struct{} // closed when it is stopped
	goc      chan struct{} // closed to let it go on
	latec    chan error    // what came of the write
	freedc   chan struct{} // closed when the lease of that time was given up
}

func (s *stopped) Save(ctx context.Context, writes []manager.Write) []error {
	late := false
	if writes[0].Lease != nil {
		s.once.Do(func() {
			late = true
			s.wire.pause()
			close(s.stoppedc)
			<-s.goc
			s.wire.resume()
		})
	}
	if !late {
		return s.Store.Save(ctx, bare(writes))
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience) // its time stood still too
	defer cancel()
	errs := s.Store.Save(ctx, bare(writes))
	s.latec <- errs[0]
	return errs
}

// bare gives the writes with the store's own leases.
func bare(writes []manager.Write) []manager.Write {
	own := append([]manager.Write(nil), writes...)
	for i := range own {
		if l, ok := own[i].Lease.(lent); ok {
			own[i].Lease = l.Lease
		}
	}
	return own
}

func (s *stopped) Locker() manager.Locker { return s }

func (s *stopped) Lock(ctx context.Context, name string) (manager.Lease, error) {
	l, err := locker(s.Store).Lock(ctx, name)
	if err != nil {
		return nil, err
	}
	return lent{l, s}, nil
}

type lent struct {
	manager.Lease
	by *stopped
}

func (l lent) Unlock(ctx context.Context) error {
	err := l.Lease.Unlock(ctx)
	select {
	case <-l.by.goc:
		select {
		case <-l.by.freedc:
		default:
			close(l.by.freedc)
		}
	default:
	}
	return err
}

// A holder that was paused past its lease, before it stored its mark: its write is
// refused, the lease that another has by then stays with that one, and it adopts what
// that one got. That the engine refuses such a write too, where the holder does not know
// of its loss, is in persisttest.LosingLeases.
func lateWrite(t *testing.T, e Engine) {
	engine := e.Start(t)
	var w Wire
	slow := &stopped{Store: engine.Open(t, &w, shortLease), wire: &w, stoppedc: make(chan struct{}),
		goc: make(chan struct{}), latec: make(chan error, 1), freedc: make(chan struct{})}
	server := &issuer{life: hour}
	fast := manage(t, engine.Open(t, new(Wire), shortLease))
	// Its own clocks would stand still as well: it does not give up the write.
	first := manage(t, slow, func(c *manager.Config) { c.SaveLimit = patience })
	if err := fast.Manage("a", nil).Install(t.Context(), server.login("a")); err != nil {
		t.Fatal(err)
	}
	fast.Manage("a", nil).Release()

	tokenc := make(chan string, 2)
	ask := func(c *manager.Credential) {
		token, err := c.Token(wait(t))
		if err != nil {
			t.Errorf("Token: %v", err)
			tokenc <- ""
			return
		}
		tokenc <- token.AccessToken.Reveal()
	}
	go ask(first.Manage("a", server))
	<-slow.stoppedc
	refreshingc, answerc := make(chan struct{}), make(chan struct{})
	go ask(fast.Manage("a", manager.RefresherFunc(func(ctx context.Context, name string, prev manager.Token) (manager.Token, error) {
		close(refreshingc)
		<-answerc
		return server.Refresh(ctx, name, prev)
	}), manager.Policy{Limit: 4 * time.Second}))
	<-refreshingc // so it has the lease
	holder := engine.Holder(t, "a")
	close(slow.goc)
	if err := <-slow.latec; !errors.Is(err, manager.ErrLeaseLost) && !errors.Is(err, manager.ErrConflict) {
		t.Errorf("the late write: %v, want it refused", err)
	}
	<-slow.freedc
	if now := engine.Holder(t, "a"); now != holder || holder == "" {
		t.Errorf("the lease was with %q, and with %q after the late holder gave up its own", holder, now)
	}
	close(answerc)
	if one, two := <-tokenc, <-tokenc; one != two {
		t.Errorf("tokens %q and %q, want the same", one, two)
	}
	server.check(t, 1)
}
