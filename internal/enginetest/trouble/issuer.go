//go:build unix

package trouble

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"example.com/tokenactor/manager"
)

// An issuer rotates refresh tokens, and counts what must not be: one that came twice.
type issuer struct {
	life, due time.Duration // of its tokens; due 0: as usual

	mu      sync.Mutex
	current map[string]string // the refresh token that works, by name
	issued  int
	reused  int
	sent    []time.Time
}

// login gives the first token of a name, which has to be refreshed.
func (s *issuer) login(name string) manager.Token {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == nil {
		s.current = make(map[string]string)
	}
	s.current[name] = "R0 " + name
	return manager.Token{RefreshToken: manager.NewSecret(s.current[name])}
}

func (s *issuer) Refresh(_ context.Context, name string, prev manager.Token) (manager.Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if prev.RefreshToken.Reveal() != s.current[name] {
		s.reused++
		return manager.Token{}, manager.LoginRequired(errors.New("invalid_grant"))
	}
	s.issued++
	s.sent = append(s.sent, time.Now())
	s.current[name] = fmt.Sprintf("R%d %s", s.issued, name)
	return manager.Token{AccessToken: manager.NewSecret(fmt.Sprintf("A%d %s", s.issued, name)),
		RefreshToken: manager.NewSecret(s.current[name]), ExpiresIn: s.life, RefreshIn: s.due}, nil
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

// locker gives the leases of a store.
func locker(s manager.Store) manager.Locker {
	return s.(interface{ Locker() manager.Locker }).Locker()
}

// wait gives a context that ends when patience does.
func wait(tb testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	tb.Cleanup(cancel)
	return ctx
}

// until waits for what becomes true.
func until(tb testing.TB, what string, f func() bool) {
	tb.Helper()
	for ctx := wait(tb); !f(); time.Sleep(5 * time.Millisecond) {
		if ctx.Err() != nil {
			tb.Fatalf("in %v not: %s", patience, what)
		}
	}
}
