package integration

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"example.com/tokenactor/manager"
	"github.com/stretchr/testify/assert"
)

// A recorder is a test that fails without being one.
type recorder struct{ text strings.Builder }

func (r *recorder) Errorf(format string, args ...any) { fmt.Fprintf(&r.text, format, args...) }

// The diff of a failed assertion of testify, which asks no methods and follows
// pointers, lands in the logs of CI.
func TestTestifyShowsNoToken(t *testing.T) {
	m, err := manager.New(manager.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	c := m.Manage("billing", nil)
	build := func(s string) manager.Token {
		return manager.Token{AccessToken: manager.NewSecret(s), RefreshToken: manager.NewSecret("R" + s), ExpiresIn: time.Hour,
			Extra: map[string]manager.Secret{"id_token": manager.NewSecret("I" + s)}}
	}
	if err := c.Install(t.Context(), build("SUPERSECRET")); err != nil {
		t.Fatal(err)
	}
	live, err := c.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var r recorder
	one, two := build("SUPERSECRET"), build("TOPSECRET")
	assert.Equal(&r, one, two)
	assert.Equal(&r, &one, live)
	assert.Equal(&r, one.AccessToken, two.AccessToken)
	assert.Equal(&r, struct{ kept *manager.Token }{&one}, struct{ kept *manager.Token }{live})
	assert.Empty(&r, one)
	assert.Contains(&r, []manager.Token{one}, two)
	assert.ElementsMatch(&r, []manager.Token{one}, []manager.Token{two})
	if shown := r.text.String(); strings.Contains(shown, "SECRET") || !strings.Contains(shown, "AccessToken") {
		t.Errorf("testify shows a token, or no diff:\n%s", shown)
	}
	again := build("SUPERSECRET")
	assert.Equal(t, one, again)
	assert.NotEqual(t, one, two)
}
