package manager_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenactor/manager"
)

// Dashboards beside a fleet, without a Refresher: they show what the store has, and harm
// nobody, whether they are told of news or not.
func TestReadersHarmNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, locks := newShelf(), newLeases(time.Minute)
		config := manager.Config{Store: store, Locker: locks}
		daemon, dash := begin(t, config), begin(t, config)
		var owners, readers []*manager.Credential
		var issuers []*issuer
		for i := range 20 {
			name := fmt.Sprint("user ", i)
			own := &issuer{life: time.Minute, rotate: true}
			issuers = append(issuers, own)
			owners = append(owners, daemon.Manage(name, own))
			mustInstall(t, owners[i], login("A", "R", time.Minute))
			readers = append(readers, dash.Manage(name, nil))
		}
		if err := dash.Scan(t.Context()); err != nil {
			t.Fatal(err)
		}
		for start := time.Now(); time.Since(start) < time.Hour; time.Sleep(7 * time.Second) {
			for i := range owners {
				token := mustToken(t, owners[i], "")
				got := mustToken(t, readers[i], "")
				if age := token.Generation() - got.Generation(); age > 1 {
					t.Fatalf("a reader has generation %d, the owner %d", got.Generation(), token.Generation())
				}
			}
		}
		for i, own := range issuers {
			if n := len(own.book()); n < 60 || n > 90 {
				t.Errorf("refreshes of %d: got %d, want about one each 45 s", i, n)
			}
		}
		if got := dash.Stats(); got.Refreshes+got.RefreshFailures+got.Refusals > 0 {
			t.Errorf("the readers' manager: got %+v, want neither refreshes nor failures", got)
		}
	})
}

// A login tool installs a refresh token and ends; whoever has a Refresher goes on with it.
func TestLoginTool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newShelf()
		tool := launch(t, manager.Config{Store: store})
		c := tool.Manage("alice", nil)
		mustInstall(t, c, login("", "R0", 0))
		if err := refusal(t, c); !errors.Is(err, manager.ErrNoRefresher) || errors.Is(err, manager.ErrLoginRequired) || err.RetryAt.IsZero() {
			t.Errorf("the tool's Token: got %v, want ErrNoRefresher, and not ErrLoginRequired", err)
		}
		time.Sleep(time.Hour)
		if s := store.get("alice"); s.Revision != 1 || len(s.Refusals) > 0 || !s.Mark.IsZero() {
			t.Errorf("stored: got %+v, want the installed token and nothing else", s)
		}
		_ = tool.Close()
		daemon := begin(t, manager.Config{Store: store})
		mustToken(t, daemon.Manage("alice", &issuer{life: time.Hour, rotate: true}), "T1")
	})
}

// A reader says that a login is required where the store says so, and goes on when there is one.
func TestReaderOfARefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newShelf()
		refused := &issuer{answer: func(context.Context, int, manager.Token) (manager.Token, error) {
			return manager.Token{}, manager.LoginRequired(errors.New("invalid_grant"))
		}}
		owner := begin(t, manager.Config{Store: store}).Manage("alice", refused)
		reader := begin(t, manager.Config{Store: store}).Manage("alice", nil)
		if err := refusal(t, reader); !errors.Is(err, manager.ErrNoRefresher) {
			t.Errorf("before any login: got %v, want ErrNoRefresher", err)
		}
		mustInstall(t, owner, login("", "R0", 0))
		refusal(t, owner)
		time.Sleep(time.Minute)
		if err := refusal(t, reader); !errors.Is(err, manager.ErrLoginRequired) {
			t.Errorf("after the refusal: got %v, want ErrLoginRequired", err)
		}
		mustInstall(t, owner, login("A", "R1", time.Hour))
		time.Sleep(2 * time.Minute)
		mustToken(t, reader, "A")
		if err := owner.Forget(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if err := refusal(t, reader); !errors.Is(err, manager.ErrLoginRequired) {
			t.Errorf("after the logout: got %v, want ErrLoginRequired", err)
		}
	})
}

// A wrong grant, corrected by the operator and started again: where no refresh token was sent
// nothing is remembered.
func TestScenario34WrongGrantMended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newShelf()
		run := func(r manager.Refresher) error {
			m := launch(t, manager.Config{Store: store})
			defer func() { _ = m.Close() }()
			_, err := m.Manage("svc", r).Token(t.Context())
			return err
		}
		noLogin := &issuer{answer: func(context.Context, int, manager.Token) (manager.Token, error) {
			return manager.Token{}, manager.LoginRequired(errors.New("there is no refresh token"))
		}}
		if err := run(noLogin); !errors.Is(err, manager.ErrLoginRequired) {
			t.Errorf("by mistake: got %v, want ErrLoginRequired", err)
		}
		if s := store.get("svc"); s.Revision != 0 {
			t.Errorf("stored: got %+v, want nothing", s)
		}
		if err := run(nil); !errors.Is(err, manager.ErrNoRefresher) {
			t.Errorf("without a Refresher: got %v, want ErrNoRefresher", err)
		}
		if err := run(&issuer{life: time.Hour}); err != nil {
			t.Errorf("corrected: %v", err)
		}
	})
}
