package client_test

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"example.com/tokenactor/client"
	"example.com/tokenactor/manager"
)

// What a Transport looks for beyond Source, a credential has.
var _ interface {
	client.Source
	Replayed(token *manager.Token, accepted bool)
	Refreshing(ctx context.Context) bool
} = (*manager.Credential)(nil)

// source is a Source of numbered tokens: T1, and one more for each renewal that
// names the newest.
type source struct {
	mu      sync.Mutex
	newest  *manager.Token
	renewed int
	fail    error  // what Renew answers, if not nil
	reports []bool // what Replayed was told

	busy context.Context // Refreshing says yes to this one
}

func newSource(first string) *source {
	return &source{newest: &manager.Token{AccessToken: manager.NewSecret(first)}}
}

func (s *source) Token(ctx context.Context) (*manager.Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.newest, ctx.Err()
}

func (s *source) Renew(ctx context.Context, rejected *manager.Token) (*manager.Token, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return nil, s.fail
	}
	if rejected == s.newest {
		s.renewed++
		s.newest = &manager.Token{AccessToken: manager.NewSecret(fmt.Sprintf("T%d", s.renewed+1))}
	}
	return s.newest, ctx.Err()
}

func (s *source) Replayed(_ *manager.Token, accepted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reports = append(s.reports, accepted)
}

func (s *source) Refreshing(ctx context.Context) bool { return s.busy != nil && ctx == s.busy }

func (s *source) renewals() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.renewed
}

// noToken is a Source that has none.
type noToken struct{}

var errNoToken = errors.New("no token")

func (noToken) Token(context.Context) (*manager.Token, error) { return nil, errNoToken }

func (noToken) Renew(context.Context, *manager.Token) (*manager.Token, error) { return nil, errNoToken }
