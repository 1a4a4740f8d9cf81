package persisttest

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"example.com/tokenactor/manager"
)

// full is a snapshot with every stored field set, and a record of 70 KB.
func full() manager.Snapshot {
	at := time.Date(2026, 11, 22, 20, 0, 0, 123456789, time.UTC)
	return manager.Snapshot{
		Token: manager.Token{
			AccessToken:   manager.NewSecret("access"),
			RefreshToken:  manager.NewSecret("refresh"),
			Type:          "DPoP",
			Expiry:        at,
			ExpiresIn:     time.Hour,
			RefreshIn:     50 * time.Minute,
			RefreshExpiry: at.Add(720 * time.Hour),
			Scope:         "read write",
			Extra: map[string]manager.Secret{
				"user": manager.NewSecret("u1"), "id_token": manager.NewSecret(strings.Repeat("x", 70_000)),
			},
		},
		Login: 3, Generation: 300,
		Mark: manager.Mark{
			Owner: [16]byte{0: 1, 15: 255}, Attempt: 7, Login: 3, Generation: 299,
			At: at, Limit: 30 * time.Second, Answered: true, Guarded: true,
		},
		Asked: 1<<64 - 2,
		Refusals: []manager.Refusal{
			{Asker: 1<<64 - 1, At: at, Reason: "invalid_grant", Lost: true},
			{At: at.Add(time.Nanosecond), Reason: "of a Refresher that does not say who asks"},
			{Asker: 1 << 63, At: at.Add(time.Hour), Reason: strings.Repeat("y", 300)},
			{Asker: 1, At: at.Add(2 * time.Hour)},
		},
		Suspicion: manager.Suspicion{Since: at.Add(-time.Hour), Last: at.Add(24 * time.Hour), Answers: 1<<32 - 1, Reason: "access_denied"},
		RetryAt:   at.Add(59 * time.Minute),
	}
}

// token is a snapshot that differs by its text.
func token(text string) manager.Snapshot {
	return manager.Snapshot{
		Token: manager.Token{AccessToken: manager.NewSecret(text)},
		Login: 1, Generation: 1,
	}
}

// write replaces revision expect of name by s.
func write(name string, expect uint64, s manager.Snapshot) manager.Write {
	s.Revision = expect + 1
	return manager.Write{Name: name, Expect: expect, Snapshot: s}
}

// equal compares snapshots, the texts of their secrets as well. It shows those,
// which are this package's own.
func equal(tb testing.TB, what string, got, want manager.Snapshot) {
	tb.Helper()
	if !reflect.DeepEqual(got, want) {
		tb.Errorf("%s:\n got %s\nwant %s", what, show(got), show(want))
	}
}

func show(s manager.Snapshot) string {
	t := s.Token
	text := fmt.Sprintf("login %d generation %d revision %d, token %q %q %q %v %v %v %v %q, %+v, asked %d, %+v, %+v, retry at %v", s.Login, s.Generation, s.Revision,
		t.AccessToken.Reveal(), t.RefreshToken.Reveal(), t.Type, t.Expiry, t.ExpiresIn, t.RefreshIn, t.RefreshExpiry, t.Scope,
		s.Mark, s.Asked, s.Refusals, s.Suspicion, s.RetryAt)
	for key, value := range t.Extra {
		text += fmt.Sprintf(", extra %q of %d bytes", key, len(value.Reveal()))
	}
	return text
}
