package manager_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"example.com/tokenactor/manager"
)

// What the Refresher knows of the refresh token stays: an error that it marked is not replaced.
func TestLoginThatWaitsForItselfKeepsItsClass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := manager.New(manager.Config{Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = m.Close() }()
		var self *manager.Credential
		self = m.Manage("api", manager.RefresherFunc(func(context.Context, string, manager.Token) (manager.Token, error) {
			_, err := self.Token(context.Background())
			return manager.Token{}, manager.NotSent(err)
		}))
		if err := self.Install(t.Context(), manager.Token{RefreshToken: manager.NewSecret("r")}); err != nil {
			t.Fatal(err)
		}
		_, _ = self.Token(t.Context())
		synctest.Wait()
		if s := self.Status(); manager.ClassOf(s.Err) != manager.ClassNotSent || !s.Mark.IsZero() {
			t.Errorf("got class %v and the mark %+v of %v, want what NotSent says", manager.ClassOf(s.Err), s.Mark, s.Err)
		}
	})
}

// A login that asks for the token it is to bring says so: at once where it passes its ctx on,
// and after the time limit where it does not.
func TestLoginThatWaitsForItself(t *testing.T) {
	for name, test := range map[string]struct {
		passes bool
		want   string
		limit  bool
	}{
		"with its ctx":    {true, "a refresh cannot wait for the token it is to bring", false},
		"without its ctx": {false, "it waited for the token that it was to bring; make its requests with the ctx", true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m, err := manager.New(manager.Config{Logger: slog.New(slog.DiscardHandler)})
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = m.Close() }()
				var self *manager.Credential
				self = m.Manage("api", manager.RefresherFunc(func(ctx context.Context, _ string, _ manager.Token) (manager.Token, error) {
					if !test.passes {
						ctx = context.Background()
					}
					if _, err := self.Token(ctx); err != nil {
						return manager.Token{}, fmt.Errorf("login: %w", err)
					}
					return manager.Token{AccessToken: manager.NewSecret("a")}, nil
				}))
				_, first := self.Token(t.Context())
				if errors.Is(first, manager.ErrTimeLimit) != test.limit {
					t.Errorf("got %v, want ErrTimeLimit: %v", first, test.limit)
				}
				synctest.Wait()
				failure := self.Status().Err
				if failure == nil || !strings.Contains(failure.Error(), test.want) || errors.Is(failure, manager.ErrTimeLimit) != test.limit {
					t.Errorf("then %v, want one with %q", failure, test.want)
				}
			})
		})
	}
}
