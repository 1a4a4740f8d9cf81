package oauth_test

import (
	"log/slog"
	"testing"
	"testing/synctest"

	"example.com/tokenactor/manager"
)

// begin starts a manager that is closed with the test and must close clean.
func begin(t testing.TB, config manager.Config) *manager.Manager {
	t.Helper()
	config.Logger = slog.New(slog.DiscardHandler)
	m, err := manager.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return m
}

func install(t testing.TB, c *manager.Credential, token manager.Token) {
	t.Helper()
	if err := c.Install(t.Context(), token); err != nil {
		t.Fatal(err)
	}
}

// inBubble runs a test of its own in virtual time: the others go on when it fails.
func inBubble(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
}
