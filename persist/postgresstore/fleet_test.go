package postgresstore_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"example.com/tokenactor/internal/enginetest"
	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist/postgresstore"
)

// An issuer rotates refresh tokens, and counts what must not be: one that came twice.
type issuer struct {
	mu      sync.Mutex
	current string // the refresh token that works
	issued  int
	reused  int
	life    time.Duration
	due     time.Duration // after which its tokens are to be renewed; 0: as usual
}

// login gives the first token, which has to be refreshed.
func (s *issuer) login() manager.Token {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current = "R0"
	return manager.Token{RefreshToken: manager.NewSecret(s.current)}
}

func (s *issuer) Refresh(_ context.Context, _ string, prev manager.Token) (manager.Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if prev.RefreshToken.Reveal() != s.current {
		s.reused++
		return manager.Token{}, manager.LoginRequired(errors.New("invalid_grant"))
	}
	s.issued++
	s.current = fmt.Sprint("R", s.issued)
	return manager.Token{AccessToken: manager.NewSecret(fmt.Sprint("A", s.issued)), RefreshToken: manager.NewSecret(s.current), ExpiresIn: s.life, RefreshIn: s.due}, nil
}

// check checks that so many refreshes were sent, each with a token that was not spent.
func (s *issuer) check(tb testing.TB, issued int) {
	tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.issued != issued || s.reused > 0 {
		tb.Errorf("%d refreshes, %d with a spent token, want %d and 0", s.issued, s.reused, issued)
	}
}

// manage gives a manager over s that ends with the test.
func manage(tb testing.TB, s manager.Store, change ...func(*manager.Config)) *manager.Manager {
	tb.Helper()
	c := manager.Config{Store: s, SaveLimit: 2 * time.Second, Logger: slog.New(slog.DiscardHandler), Policy: manager.Policy{
		Limit: 2 * time.Second, Backoff: 200 * time.Millisecond, BackoffMax: time.Second, Patience: -1}}
	for _, f := range change {
		f(&c)
	}
	m, err := manager.New(c)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := m.Close(); err != nil {
			tb.Errorf("Close: %v", err)
		}
	})
	return m
}

// A stopped process is a Store whose first write under a lease is held up, with all
// that its process sends.
type stopped struct {
	*postgresstore.Store
	wire     *wire
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
		return s.Store.Save(ctx, writes)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience) // its time stood still too
	defer cancel()
	errs := s.Store.Save(ctx, writes)
	s.latec <- errs[0]
	return errs
}

func (s *stopped) Locker() manager.Locker { return s }

func (s *stopped) Lock(ctx context.Context, name string) (manager.Lease, error) {
	l, err := s.Store.Locker().Lock(ctx, name)
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
// that one got.
func TestScenario15LateWrite(t *testing.T) {
	url, _ := enginetest.Postgres(t)
	admin := connect(t, url)
	options := postgresstore.Options{Lease: 8 * time.Second}
	var w wire
	slow := &stopped{Store: open(t, connect(t, url, w.through), options), wire: &w, stoppedc: make(chan struct{}),
		goc: make(chan struct{}), latec: make(chan error, 1), freedc: make(chan struct{})}
	server := &issuer{life: time.Hour}
	fast := manage(t, open(t, connect(t, url), options))
	// Its own clocks would stand still as well: it does not give up the write.
	first := manage(t, slow, func(c *manager.Config) { c.SaveLimit = patience })
	if err := fast.Manage("a", nil).Install(t.Context(), server.login()); err != nil {
		t.Fatal(err)
	}
	fast.Manage("a", nil).Release()

	tokenc := make(chan string, 2)
	ask := func(c *manager.Credential) {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		token, err := c.Token(ctx)
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
	holder := leaseOf(t, admin, "a")
	close(slow.goc)
	if err := <-slow.latec; !errors.Is(err, manager.ErrLeaseLost) && !errors.Is(err, manager.ErrConflict) {
		t.Errorf("the late write: %v, want it refused", err)
	}
	<-slow.freedc
	if now := leaseOf(t, admin, "a"); now != holder || holder == "" {
		t.Errorf("the lease was with %q, and with %q after the late holder gave up its own", holder, now)
	}
	close(answerc)
	if one, two := <-tokenc, <-tokenc; one != two {
		t.Errorf("tokens %q and %q, want the same", one, two)
	}
	server.check(t, 1)
}

// leaseOf gives who holds a lease.
func leaseOf(tb testing.TB, pool *pgxpool.Pool, name string) (owner string) {
	tb.Helper()
	if err := pool.QueryRow(tb.Context(), `SELECT coalesce(owner, '') FROM tokenactor WHERE name = $1`, []byte(name)).Scan(&owner); err != nil {
		tb.Fatal(err)
	}
	return owner
}

// One login, many processes, tokens that are rejected again and again: each refresh
// token is spent once, and all get each new token.
func TestScenario14OneRefreshInAll(t *testing.T) {
	url, _ := enginetest.Postgres(t)
	server := &issuer{life: time.Hour}
	var all []*manager.Credential
	for range 4 {
		all = append(all, manage(t, open(t, connect(t, url), postgresstore.Options{})).Manage("a", server))
	}
	if err := all[0].Install(t.Context(), server.login()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	rejected := make([]*manager.Token, len(all))
	const rounds = 10
	for round := range rounds {
		var wg sync.WaitGroup
		for i, c := range all {
			wg.Go(func() {
				token, err := c.Renew(ctx, rejected[i])
				if err != nil {
					t.Errorf("round %d: Renew: %v", round, err)
					return
				}
				c.Replayed(token, true)
				rejected[i] = token
			})
		}
		wg.Wait()
		if t.Failed() {
			return
		}
	}
	server.check(t, rounds)
}
