package integration

import (
	"path/filepath"
	"testing"
	"time"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/oauth"
	"example.com/tokenactor/persist"
	"golang.org/x/oauth2"
)

// A program with a hundred callers is killed between two refreshes; then while its
// request has left and never arrives; then while the server has answered and nobody
// hears it. The login lives through the first two. The third is what no client can
// prevent where a refresh token works once: it is told apart, and asked about once.
func TestKill(t *testing.T) {
	each(t, kill, func(t *testing.T, k kind) {
		s := k.start(t, crowdLife)
		g := newGate(t, s.endpoint.TokenURL)
		o := order{Path: filepath.Join(t.TempDir(), "tokens.db"), ClientID: s.app.ClientID, TokenURL: g.url, Limit: 2 * time.Second}
		install(t, o, s.login(t, s.app, oauth.Options{}))

		g.expect(passes) // and no other: nothing is under way when the kill comes
		p := startProgram(t, o)
		p.refreshed(t)
		p.kill()
		if n := g.count(); n != 1 {
			t.Errorf("one refresh reached the server %d times", n)
		}

		lostc := g.expect(requestLost)
		p = startProgram(t, o)
		p.loses(t, lostc)
		lostc = g.expect(passes, answerLost)
		p = startProgram(t, o)
		p.refreshed(t)
		if n := g.count(); n < 2 || n > 3 {
			t.Errorf("two refreshes, one of them after a first one got lost, reached the server %d times", n)
		}
		p.loses(t, lostc)

		g.expect(passes, passes)
		p = startProgram(t, o)
		p.refusedAfterLoss(t)
		p.kill()
		if n := g.count(); n != 4 {
			t.Errorf("a refresh with a lost answer, and the question after it: %d requests in all, want 4", n)
		}
		p = startProgram(t, o)
		p.refusedAfterLoss(t)
		p.kill()
		if n := g.count(); n != 4 {
			t.Errorf("a refused refresh token was sent again after a restart: %d requests in all, want 4", n)
		}

		install(t, o, s.login(t, s.app, oauth.Options{}))
		g.expect(passes)
		p = startProgram(t, o)
		p.refreshed(t)
		p.kill()
		t.Logf("%s: killed at rest: the login goes on; request lost: it goes on after the quiet time, the refresh token reached the server once; "+
			"answer lost: one question, then \"log in again\", and silence after a restart; a new login: it goes on", k.name)
	})
}

// loses waits until a request or an answer got lost, and kills p, which waits for it.
func (p *program) loses(t *testing.T, lostc <-chan struct{}) {
	t.Helper()
	deadline := time.After(limit)
	for {
		select {
		case <-lostc:
			p.kill()
			return
		case r, ok := <-p.reports:
			if !ok || r.Caller != "" {
				t.Fatalf("the child ended, or a caller got %q", r.Caller)
			}
		case <-deadline:
			t.Fatal("the child sent nothing")
		}
	}
}

// refusedAfterLoss waits until a caller is told to log in, and why.
func (p *program) refusedAfterLoss(t *testing.T) {
	t.Helper()
	r := p.next(t, "that a login is required", func(r report) bool { return r.Login })
	if !r.Lost {
		t.Errorf("a caller got %q, which does not say that the answer got lost", r.Caller)
	}
}

// install puts a login into the file.
func install(t *testing.T, o order, login manager.Token) {
	t.Helper()
	db, err := persist.Open(o.Path, persist.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := manager.New(manager.Config{Store: db})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Manage("user", oauth.RefreshToken(oauth2.Config{})).Install(t.Context(), login); err != nil {
		t.Fatal(err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}
