package manager_test

import (
	"context"
	"errors"
	"testing"

	"example.com/tokenactor/manager"
)

var errKilled = errors.New("the process was killed")

// A process is a manager that can be killed: from then on nothing of it reaches
// the store, the leases or the server, and nothing reaches it.
type process struct {
	*manager.Manager
	store  *shelf
	locker *leases

	// freeze names the writes that never reach the store: the process hangs in
	// them until it is killed. Nil: none.
	freeze  func(manager.Write) bool
	frozenc chan struct{} // closed when the first of them has come
	deadc   chan struct{} // closed by kill
}

// run starts a process. A nil locker: it is alone.
func run(t testing.TB, store *shelf, locker *leases, config manager.Config) *process {
	t.Helper()
	p := &process{store: store, locker: locker, frozenc: make(chan struct{}), deadc: make(chan struct{})}
	config.Store = p
	if locker != nil {
		config.Locker = mortalLocker{p}
	}
	p.Manager = launch(t, config)
	t.Cleanup(func() {
		select {
		case <-p.deadc:
		default:
			if err := p.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}
	})
	return p
}

// kill ends the process as kill -9 does.
func (p *process) kill() {
	close(p.deadc)
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	_ = p.Shutdown(ended)
}

func (p *process) dead() bool {
	select {
	case <-p.deadc:
		return true
	default:
		return false
	}
}

func (p *process) Load(ctx context.Context, names []string) ([]manager.Snapshot, error) {
	if p.dead() {
		return nil, errKilled
	}
	return p.store.Load(ctx, names)
}

func (p *process) Scan(ctx context.Context, f func(string, manager.Snapshot) error) error {
	return p.store.Scan(ctx, f)
}

func (p *process) Save(ctx context.Context, writes []manager.Write) []error {
	for _, w := range writes {
		if p.freeze != nil && p.freeze(w) {
			close(p.frozenc)
			<-p.deadc
		}
	}
	if p.dead() {
		errs := make([]error, len(writes))
		for i := range errs {
			errs[i] = errKilled
		}
		return errs
	}
	for i := range writes {
		if l, ok := writes[i].Lease.(mortalLease); ok {
			writes[i].Lease = l.lease
		}
	}
	return p.store.Save(ctx, writes)
}

type mortalLocker struct{ p *process }

func (l mortalLocker) Lock(ctx context.Context, name string) (manager.Lease, error) {
	if l.p.dead() {
		return nil, errKilled
	}
	got, err := l.p.locker.Lock(ctx, name)
	if err != nil {
		return nil, err
	}
	return mortalLease{got.(*lease), l.p}, nil
}

type mortalLease struct {
	*lease
	p *process
}

// Unlock of a dead process does nothing: its lease ends by itself.
func (l mortalLease) Unlock(ctx context.Context) error {
	if l.p.dead() {
		l.of.pause(l.name)
		return errKilled
	}
	return l.lease.Unlock(ctx)
}
