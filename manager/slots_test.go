package manager_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenactor/manager"
)

// Section 3: one credential is one scope set.
func TestScenario08TwoScopeSets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := begin(t, manager.Config{Store: newShelf()})
		granting := func(scope string) manager.Refresher {
			return manager.RefresherFunc(func(context.Context, string, manager.Token) (manager.Token, error) {
				time.Sleep(time.Second)
				return manager.Token{AccessToken: manager.NewSecret("for " + scope), ExpiresIn: time.Minute, Scope: scope}, nil
			})
		}
		read, write := m.Manage("account read", granting("read")), m.Manage("account write", granting("write"))
		if read == write || m.Manage("account read", granting("write")) != read {
			t.Fatal("Manage: two names gave one credential, or one name two")
		}
		together(100, func(i int) {
			c, scope := read, "read"
			if i%2 == 0 {
				c, scope = write, "write"
			}
			for range 50 {
				token, err := c.Token(context.Background())
				if err != nil || token.Scope != scope || token.AccessToken.Reveal() != "for "+scope {
					t.Errorf("Token of %q: got %v with scope %q, %v", c.Name(), token, token.Scope, err)
					return
				}
				time.Sleep(3 * time.Second)
				if i%10 == 0 {
					_, _ = c.Renew(context.Background(), token)
				}
			}
		})
	})
}

// Section 6, jitter: a thousand workers with equal expiry do not come back as one.
func TestScenario27EqualExpiries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fleet := &issuer{life: time.Hour}
		m := begin(t, manager.Config{Refreshes: 1000})
		granted := time.Now()
		for i := range 1000 {
			mustInstall(t, m.Manage(fmt.Sprint("worker ", i), fleet), login("T", "", time.Hour))
		}
		time.Sleep(59 * time.Minute)
		perSecond := make(map[int]int)
		for _, call := range fleet.book() {
			perSecond[int(call.at.Sub(granted).Seconds())]++
		}
		most := 0
		for second, n := range perSecond {
			most = max(most, n)
			if first, last := 55*60-31, 55*60; second < first || second > last {
				t.Errorf("%d refreshes in second %d, want them between %d and %d", n, second, first, last)
			}
		}
		fleet.expectCalls(t, 1000)
		if len(perSecond) < 25 || most > 100 {
			t.Errorf("1,000 refreshes: got %d different seconds, %d in the fullest; want 25 or more, 100 at most", len(perSecond), most)
		}
	})
}

// A gauge counts who is inside, and the most there ever were.
type gauge struct {
	mu      sync.Mutex
	inside  int
	most    int
	visitor []string
}

func (g *gauge) enter(name string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside++
	g.most = max(g.most, g.inside)
	g.visitor = append(g.visitor, name)
}

func (g *gauge) exit() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
}

// Invariants 1 and 13: 10,000 credentials expire in one second, 64 may be
// refreshed at once. All are, and callers in need come first.
func TestScenario30TenThousandExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n, needy = 10_000, 200
		var inside gauge
		refresher := manager.RefresherFunc(func(_ context.Context, name string, _ manager.Token) (manager.Token, error) {
			inside.enter(name)
			defer inside.exit()
			time.Sleep(time.Second)
			return manager.Token{AccessToken: manager.NewSecret("new"), ExpiresIn: 24 * time.Hour}, nil
		})
		m := begin(t, manager.Config{Heartbeat: -1, Policy: manager.Policy{Jitter: -1}})
		cs := make([]*manager.Credential, n)
		for i := range cs {
			cs[i] = m.Manage(fmt.Sprintf("%05d", i), refresher)
			mustInstall(t, cs[i], login("old", "", time.Hour))
			time.Sleep(time.Second / n)
		}
		// 156 batches of a second begin when the windows open, in minute 55.
		time.Sleep(56*time.Minute - time.Second)
		start := time.Now()
		together(needy, func(i int) {
			c := cs[n-1-i] // the last in line
			if _, err := c.Renew(context.Background(), mustToken(t, c, "old")); err != nil {
				t.Errorf("Renew of %s: %v", c.Name(), err)
			}
		})
		if took := time.Since(start); took > (needy/64+2)*time.Second {
			t.Errorf("%d callers in need waited up to %v behind early renewals, want %ds at most", needy, took, needy/64+2)
		}
		time.Sleep(4*time.Minute - time.Second)
		for _, c := range cs {
			mustToken(t, c, "new")
		}
		if inside.most != 64 {
			t.Errorf("refreshes at once: got %d, want 64", inside.most)
		}
		slices.Sort(inside.visitor)
		if got := len(slices.Compact(inside.visitor)); got != n || len(inside.visitor) != n {
			t.Errorf("refreshes: got %d of %d credentials, want one of each of %d", len(inside.visitor), got, n)
		}
	})
}

// Invariant 13: an authorization server that hangs takes its share and no more.
func TestScenario35OneServerHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hanging := manager.RefresherFunc(func(ctx context.Context, _ string, _ manager.Token) (manager.Token, error) {
			<-ctx.Done()
			return manager.Token{}, ctx.Err()
		})
		m := begin(t, manager.Config{})
		var waiters sync.WaitGroup
		defer waiters.Wait()
		for i := range 64 {
			c := m.Manage(fmt.Sprint("hanging ", i), hanging, manager.Policy{Group: "a.example.com"})
			waiters.Go(func() { _, _ = c.Token(within(t, 20*time.Second)) })
		}
		synctest.Wait()
		if got := m.Stats().InFlight; got != 16 {
			t.Errorf("refreshes in flight at the hanging server: got %d, want 16", got)
		}
		start := time.Now()
		together(200, func(i int) {
			good := &issuer{life: time.Hour, latency: 100 * time.Millisecond}
			group := fmt.Sprintf("%c.example.com", 'b'+i%4)
			mustToken(t, m.Manage(fmt.Sprint("good ", i), good, manager.Policy{Group: group}), "T1")
		})
		if took := time.Since(start); took > 600*time.Millisecond {
			t.Errorf("200 credentials of other servers took %v, want 200/48 turns of 100ms", took)
		}
	})
}

// Section 4: the nameless group is bounded by all slots only, and a Refresher may
// name its group.
func TestGroupOfARefresher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, test := range map[string]struct {
			refresher func(manager.Refresher) manager.Refresher
			want      int
		}{
			"nameless": {func(r manager.Refresher) manager.Refresher { return r }, 64},
			"grouper":  {func(r manager.Refresher) manager.Refresher { return grouper{r} }, 16},
		} {
			var inside gauge
			m := begin(t, manager.Config{})
			together(200, func(i int) {
				r := manager.RefresherFunc(func(_ context.Context, name string, _ manager.Token) (manager.Token, error) {
					inside.enter(name)
					defer inside.exit()
					time.Sleep(time.Second)
					return manager.Token{AccessToken: manager.NewSecret("T")}, nil
				})
				mustToken(t, m.Manage(fmt.Sprint(i), test.refresher(r)), "T")
			})
			if inside.most != test.want {
				t.Errorf("%s: refreshes at once: got %d, want %d", name, inside.most, test.want)
			}
		}
	})
}

type grouper struct{ manager.Refresher }

func (grouper) Group() string { return "a.example.com" }
