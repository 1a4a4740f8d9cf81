package manager_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenactor/manager"
)

// Invariant 13: a hook that blocks delays other events and nothing else. Past
// 1,024 waiting ones they are dropped and counted.
func TestHookBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		releasec := make(chan struct{})
		m := begin(t, manager.Config{OnEvent: func(manager.Event) { <-releasec }})
		c := m.Manage("billing", nil)
		const installs = 2_000
		for range installs {
			mustInstall(t, c, login("T", "", time.Hour))
			mustToken(t, c, "T")
		}
		if got := m.Stats(); got.Installs != installs || got.EventsDropped == 0 || got.EventsDropped > installs-1_024 {
			t.Errorf("Stats: got %d installs, %d events dropped, want %d and at most %d", got.Installs, got.EventsDropped, installs, installs-1_024)
		}
		close(releasec)
	})
}

// A hook that never returns is named by Shutdown, and keeps nobody.
func TestHookNeverReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		releasec := make(chan struct{})
		m := launch(t, manager.Config{OnEvent: func(manager.Event) { <-releasec }})
		mustInstall(t, m.Manage("billing", nil), login("T", "", time.Hour))
		if err := m.Shutdown(within(t, time.Second)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Shutdown: got %v, want one that is context.DeadlineExceeded", err)
		}
		close(releasec)
	})
}

// A hook that panics loses its event; its stack is in the log.
func TestHookPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		seen := make(chan manager.EventKind, 2)
		m, err := manager.New(manager.Config{
			Logger: slog.New(slog.NewTextHandler(&log, nil)),
			OnEvent: func(e manager.Event) {
				seen <- e.Kind
				if e.Kind == manager.EventInstalled {
					panic("the hook's own fault")
				}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		c := m.Manage("billing", nil)
		mustInstall(t, c, login("T", "", time.Hour))
		if err := c.Forget(t.Context()); err != nil {
			t.Fatalf("Forget: %v", err)
		}
		if err := m.Close(); err != nil {
			t.Fatalf("Close: %v", err)
		}
		if first, second := <-seen, <-seen; first != manager.EventInstalled || second != manager.EventForgotten {
			t.Errorf("events: got %v, %v, want installed, forgotten", first, second)
		}
		for _, want := range []string{"the hook's own fault", "herald_test.go"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log lacks %q:\n%s", want, &log)
			}
		}
	})
}

// The log has warnings and errors at their levels, and the rest at debug.
func TestEventsAreLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		fails := &issuer{answer: func(context.Context, int, manager.Token) (manager.Token, error) {
			return manager.Token{}, errors.New("no route")
		}}
		m, err := manager.New(manager.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		c := m.Manage("billing", fails)
		refusal(t, c)
		mustInstall(t, c, login("T", "", time.Hour))
		if err := m.Close(); err != nil {
			t.Fatalf("Close: %v", err)
		}
		got := log.String()
		if !strings.Contains(got, `level=WARN msg="manager: refresh failed"`) || !strings.Contains(got, " credential=billing ") || !strings.Contains(got, "no route") {
			t.Errorf("the log lacks the failed refresh:\n%s", got)
		}
		if strings.Contains(got, "installed") {
			t.Errorf("the log shows at level info what belongs to debug:\n%s", got)
		}
	})
}
