package manager_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenactor/manager"
)

// The header's value is shared by all who read one token, and follows a copy
// that is changed.
func TestAuthorization(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := begin(t, manager.Config{}).Manage("billing", nil)
		mustInstall(t, c, login("T1", "", time.Hour))
		token := mustToken(t, c, "T1")
		one, two := token.Authorization(), token.Authorization()
		if len(one) != 1 || cap(one) != 1 || one[0] != "Bearer T1" || &one[0] != &two[0] {
			t.Errorf("Authorization: got %q with capacity %d, want one shared [Bearer T1] of capacity 1", one, cap(one))
		}
		changed := *token
		if got := changed.Authorization(); &got[0] != &one[0] {
			t.Errorf("Authorization of a copy: got %q of its own, want the shared one", got)
		}
		changed.AccessToken = manager.NewSecret("T2")
		if got := changed.Authorization(); len(got) != 1 || got[0] != "Bearer T2" {
			t.Errorf("Authorization of a changed copy: got %q, want [Bearer T2]", got)
		}
	})
	for kind, want := range map[string]string{"": "Bearer T", "bearer": "Bearer T", "bEARER": "Bearer T", "DPoP": "DPoP T", "dpop": "DPoP T", "MAC": "MAC T"} {
		token := manager.Token{AccessToken: manager.NewSecret("T"), Type: kind}
		if got := token.Authorization(); len(got) != 1 || got[0] != want {
			t.Errorf("Authorization of type %q: got %q, want [%s]", kind, got, want)
		}
	}
}

// A type that no scheme has is no line of its own in a log.
func TestTokenStringQuotesItsType(t *testing.T) {
	token := manager.Token{AccessToken: manager.NewSecret("T"), Type: "Bearer\x1b[2J\nlevel=ERROR"}
	if got, want := token.String(), `token("Bearer\x1b[2J\nlevel=ERROR" login=0 generation=0)`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A Secret is read from configuration, and never from what hid one.
func TestSecretFromText(t *testing.T) {
	var config struct{ Secret manager.Secret }
	if err := json.Unmarshal([]byte(`{"Secret":"hunter2"}`), &config); err != nil || config.Secret.Reveal() != "hunter2" {
		t.Errorf("Unmarshal: got %q, %v, want hunter2", config.Secret.Reveal(), err)
	}
	hidden, err := json.Marshal(config)
	if err != nil || strings.Contains(string(hidden), "hunter2") {
		t.Errorf("Marshal: got %s, %v, want it hidden", hidden, err)
	}
	if err := json.Unmarshal(hidden, &config); err == nil || config.Secret.Reveal() != "hunter2" {
		t.Errorf("Unmarshal of %s: got %v, want an error and the secret as it was", hidden, err)
	}
}
