package manager_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/tokentest"
)

// Invariants 1 and 9, in two processes at once: both have callers and an expired
// token. One refreshes, the other adopts.
func TestScenario14TwoProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := server(t, tokentest.Options{Latency: 100 * time.Millisecond})
		store, locker := newShelf(), newLeases(time.Minute)
		config := manager.Config{Policy: manager.Policy{Window: -1}} // both find it expired
		var cs []*manager.Credential
		for range 2 {
			cs = append(cs, run(t, store, locker, config).Manage("billing", &spender{srv: srv}))
		}
		mustInstall(t, cs[0], enroll(srv))
		rejected := mustToken(t, cs[1], "")
		for round := range int64(5) {
			time.Sleep(time.Hour)
			tokens := make([]*manager.Token, 100)
			together(len(tokens), func(i int) { tokens[i], _ = cs[i%2].Token(context.Background()) })
			for i, token := range tokens {
				if token == nil || !token.AccessToken.Equal(tokens[0].AccessToken) || token.AccessToken.Equal(rejected.AccessToken) {
					t.Fatalf("round %d, caller %d: got %v, want the token of all", round, i, token)
				}
			}
			rejected = tokens[0]
			expectServer(t, srv, round+1)
			if a, b := cs[0].Status().Source, cs[1].Status().Source; a == b || a+b != manager.SourceRefresh+manager.SourceSibling {
				t.Errorf("round %d: sources %v and %v, want one refresh and one sibling", round, a, b)
			}
		}
		synctest.Wait()
		store.expectStored(t, "billing", rejected.AccessToken.Reveal(), rejected.RefreshToken.Reveal())
	})
}

// The same without callers, through two days of background renewals.
func TestScenario14TwoProcessesInBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := server(t, tokentest.Options{Latency: 100 * time.Millisecond})
		store, locker := newShelf(), newLeases(time.Minute)
		var cs []*manager.Credential
		for range 3 {
			cs = append(cs, run(t, store, locker, manager.Config{Heartbeat: -1}).Manage("billing", &spender{srv: srv}))
		}
		mustInstall(t, cs[0], enroll(srv))
		for start := time.Now(); time.Since(start) < 48*time.Hour; time.Sleep(7 * time.Minute) {
			for i, c := range cs {
				before := time.Now()
				mustToken(t, c, "")
				if waited := time.Since(before); i > 0 && waited > time.Second {
					t.Errorf("process %d waited %v at %v", i, waited, time.Since(start))
				}
			}
		}
		got := srv.Stats().Refreshes
		if got < 48 || got > 54 {
			t.Errorf("refreshes in two days: got %d, want one for each of about 51 lives", got)
		}
		expectServer(t, srv, got)
	})
}

// Invariants 1 and 10: the holder of the lease is paused past its lease before the
// mark is written. The write is refused, and the other's token adopted.
func TestScenario15PausedPastTheLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := server(t, tokentest.Options{Latency: 5 * time.Second})
		store, locker := newShelf(), newLeases(time.Minute)
		paused := run(t, store, locker, manager.Config{SaveLimit: -1})
		other := run(t, store, locker, manager.Config{})
		a, b := paused.Manage("billing", &spender{srv: srv}), other.Manage("billing", &spender{srv: srv})
		mustInstall(t, a, enroll(srv))
		rejected := mustToken(t, a, "")
		mustToken(t, b, "")
		resumec := make(chan struct{})
		store.onSave = func(w manager.Write) error {
			if l, ok := w.Lease.(*lease); ok && !w.Snapshot.Mark.IsZero() && store.get("billing").Mark.IsZero() && l.until.IsZero() {
				store.onSave = nil // the first mark only
				locker.pause("billing")
				<-resumec
			}
			return nil
		}
		donec := make(chan *manager.Token)
		go func() {
			token, err := a.Renew(context.Background(), rejected)
			if err != nil {
				t.Errorf("the paused process: %v", err)
			}
			donec <- token
		}()
		time.Sleep(time.Second)
		go func() { // when b is at work
			time.Sleep(62 * time.Second)
			close(resumec)
		}()
		theirs, err := b.Renew(context.Background(), rejected)
		if err != nil {
			t.Fatalf("the other process: %v", err)
		}
		if ours := <-donec; !ours.AccessToken.Equal(theirs.AccessToken) {
			t.Errorf("tokens: got %v and %v, want the same", ours, theirs)
		}
		expectServer(t, srv, 1)
		synctest.Wait()
		store.expectStored(t, "billing", theirs.AccessToken.Reveal(), theirs.RefreshToken.Reveal())
	})
}

// Rule 3 of section 8: a lease too short for a refresh and a save sends nothing.
func TestScenario15LeaseTooShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := server(t, tokentest.Options{})
		store, locker := newShelf(), newLeases(40*time.Second) // less than 30 s + 10 s + 1 s
		c := run(t, store, locker, manager.Config{}).Manage("billing", &spender{srv: srv})
		mustInstall(t, c, enroll(srv))
		if _, err := c.Renew(within(t, time.Hour), mustToken(t, c, "")); err == nil {
			t.Error("Renew under a lease too short: no error")
		}
		if got := srv.Stats().TokenCalls; got != 0 {
			t.Errorf("calls under a lease too short: got %d, want none", got)
		}
	})
}

// Invariant 8, rule 6b: the answer's save meets a sibling's mark or refusal on the
// same parent. The answer is the only copy of the new refresh token.
func TestScenario32AnswerMeetsSiblingsMark(t *testing.T) {
	for name, edit := range map[string]func(*manager.Snapshot){
		"mark": func(s *manager.Snapshot) {
			s.Mark = manager.Mark{Owner: [16]byte{1}, Attempt: 7, Login: s.Login, Generation: s.Generation, Limit: time.Minute}
		},
		"guarded mark": func(s *manager.Snapshot) { s.Mark.Owner, s.Mark.Guarded = [16]byte{1}, true },
		"refusal": func(s *manager.Snapshot) {
			s.Mark, s.Refusals = manager.Mark{}, []manager.Refusal{{At: time.Now(), Reason: "invalid_grant"}}
		},
		"cleared mark": func(s *manager.Snapshot) { s.Mark = manager.Mark{} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := server(t, tokentest.Options{Latency: 5 * time.Second})
				store := newShelf()
				c := begin(t, manager.Config{Store: store, Heartbeat: -1}).Manage("billing", &spender{srv: srv})
				mustInstall(t, c, enroll(srv))
				rejected := mustToken(t, c, "")
				time.AfterFunc(time.Second, func() { store.change("billing", edit) })
				renewed, err := c.Renew(context.Background(), rejected)
				if err != nil {
					t.Fatal(err)
				}
				store.expectStored(t, "billing", renewed.AccessToken.Reveal(), renewed.RefreshToken.Reveal())
				time.Sleep(24 * time.Hour)
				mustToken(t, c, "")
				expectServer(t, srv, srv.Stats().TokenCalls)
			})
		})
	}
}
