package manager_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"example.com/tokenactor/manager"
)

// begin starts a manager that is closed with the test and must close clean.
func begin(t testing.TB, config manager.Config) *manager.Manager {
	t.Helper()
	m := launch(t, config)
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return m
}

// launch starts a manager that its test closes.
func launch(t testing.TB, config manager.Config) *manager.Manager {
	t.Helper()
	config.Logger = slog.New(slog.DiscardHandler)
	m, err := manager.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// An issuer is a Refresher that gives out T1, T2, … and keeps book.
type issuer struct {
	life    time.Duration // of each token; 0: unknown
	latency time.Duration // of each refresh
	rotate  bool          // with refresh tokens R1, R2, …

	// answer replaces the answer of the nth refresh. Nil: issue(n).
	answer func(ctx context.Context, n int, prev manager.Token) (manager.Token, error)

	mu      sync.Mutex
	calls   []call
	busy    map[string]bool
	doubled []string // names for which a second refresh began while the first was running
}

// A call is one refresh.
type call struct {
	name string
	at   time.Time
	prev string // the refresh token that it spent
}

func (i *issuer) Refresh(ctx context.Context, name string, prev manager.Token) (manager.Token, error) {
	n := i.enter(name, prev)
	defer i.exit(name)
	if i.latency > 0 {
		select {
		case <-time.After(i.latency):
		case <-ctx.Done():
			return manager.Token{}, ctx.Err()
		}
	}
	if i.answer != nil {
		return i.answer(ctx, n, prev)
	}
	return i.issue(n), nil
}

// issue is the token of the nth refresh.
func (i *issuer) issue(n int) manager.Token {
	token := manager.Token{AccessToken: manager.NewSecret(fmt.Sprintf("T%d", n)), ExpiresIn: i.life}
	if i.rotate {
		token.RefreshToken = manager.NewSecret(fmt.Sprintf("R%d", n))
	}
	return token
}

func (i *issuer) enter(name string, prev manager.Token) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.busy == nil {
		i.busy = make(map[string]bool)
	}
	if i.busy[name] {
		i.doubled = append(i.doubled, name)
	}
	i.busy[name] = true
	i.calls = append(i.calls, call{name, time.Now(), prev.RefreshToken.Reveal()})
	return len(i.calls)
}

func (i *issuer) exit(name string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.busy, name)
}

// book gives the refreshes so far.
func (i *issuer) book() []call {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append([]call(nil), i.calls...)
}

// expectCalls checks how many refreshes were made, never two at once for one name.
func (i *issuer) expectCalls(t testing.TB, want int) {
	t.Helper()
	if got := len(i.book()); got != want {
		t.Errorf("refreshes: got %d, want %d", got, want)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.doubled) > 0 {
		t.Errorf("two refreshes at once of %q, want one", i.doubled)
	}
}

// login is a token as a user's login gives it out.
func login(access, refresh string, life time.Duration) manager.Token {
	return manager.Token{AccessToken: manager.NewSecret(access), RefreshToken: manager.NewSecret(refresh), ExpiresIn: life}
}

// mustInstall logs in.
func mustInstall(t testing.TB, c *manager.Credential, token manager.Token) {
	t.Helper()
	if err := c.Install(context.Background(), token); err != nil {
		t.Fatalf("Install: %v", err)
	}
}

// mustToken is Token where it has to work; want is the access token, "" any.
func mustToken(t testing.TB, c *manager.Credential, want string) *manager.Token {
	t.Helper()
	token, err := c.Token(context.Background())
	if err != nil {
		t.Fatalf("Token of %q: %v", c.Name(), err)
	}
	if got := token.AccessToken.Reveal(); want != "" && got != want {
		t.Fatalf("Token of %q: got %q, want %q", c.Name(), got, want)
	}
	return token
}

// refusal is the error of a Token that has to fail.
func refusal(t testing.TB, c *manager.Credential) *manager.RefreshError {
	t.Helper()
	token, err := c.Token(context.Background())
	var e *manager.RefreshError
	if !errors.As(err, &e) {
		t.Fatalf("Token of %q: got %v, %v, want a *RefreshError", c.Name(), token, err)
	}
	return e
}

// together runs f(0) to f(n-1) at the same time and waits for all.
func together(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}

// within is a context that ends after d.
func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// An outcome is what a caller got.
type outcome struct {
	token *manager.Token
	err   error
}

// renewing installs the tokens A and R, and has a caller wait for the renewal of A,
// which has been under way for a second when it returns.
func renewing(t testing.TB, c *manager.Credential) <-chan outcome {
	t.Helper()
	mustInstall(t, c, login("A", "R", time.Hour))
	rejected := mustToken(t, c, "A")
	waitedc := make(chan outcome)
	go func() {
		token, err := c.Renew(context.Background(), rejected)
		waitedc <- outcome{token, err}
	}()
	time.Sleep(time.Second)
	return waitedc
}
