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
		m := begin(t, manager.Config{Heartbeat: -1, Policy: manager.Policy{Jitter: -1, Group: "one server"}, PerGroup: 64})
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

// hang is a refresh at a server that never answers.
func hang(ctx context.Context, _ string, _ manager.Token) (manager.Token, error) {
	<-ctx.Done()
	return manager.Token{}, ctx.Err()
}

// A hanging is a Refresher that is told from others of its type by its address.
type hanging struct{ _ int }

func (*hanging) Refresh(ctx context.Context, name string, prev manager.Token) (manager.Token, error) {
	return hang(ctx, name, prev)
}

// hangingKinds are what 64 credentials of a hanging server may have as Refreshers,
// how many of those may be in flight at once, before and after some have lent their
// slots, and how long a credential of another server waits that names no group either.
var hangingKinds = []struct {
	name      string
	group     string
	refresher func(i int) manager.Refresher
	most      [2]int64
	others    time.Duration
}{
	{"a group", "a.example.com", func(int) manager.Refresher { return manager.RefresherFunc(hang) }, [2]int64{16, 16}, 0},
	{"one function", "", func(int) manager.Refresher { return manager.RefresherFunc(hang) }, [2]int64{16, 16}, 0},
	{"closures", "", func(i int) manager.Refresher {
		return manager.RefresherFunc(func(ctx context.Context, name string, prev manager.Token) (manager.Token, error) {
			defer func() { i++ }()
			return hang(ctx, name, prev)
		})
	}, [2]int64{16, 16}, 0},
	{"instances", "", func(int) manager.Refresher { return new(hanging) }, [2]int64{48, 64}, 5 * time.Second},
}

// Invariant 13: an authorization server that hangs takes its share and no more,
// whether its credentials name a group or not.
func TestScenario35OneServerHangs(t *testing.T) {
	const latency = 100 * time.Millisecond
	for _, kind := range hangingKinds {
		t.Run(kind.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := begin(t, manager.Config{})
				var waiters sync.WaitGroup
				defer waiters.Wait()
				for i := range 64 {
					c := m.Manage(fmt.Sprint("hanging ", i), kind.refresher(i), manager.Policy{Group: kind.group})
					waiters.Go(func() { _, _ = c.Token(within(t, 20*time.Second)) })
				}
				synctest.Wait()
				if got := m.Stats().InFlight; got != kind.most[0] {
					t.Errorf("refreshes in flight at the hanging server: got %d, want %d", got, kind.most[0])
				}
				start := time.Now()
				nameless := &issuer{life: time.Hour, latency: latency}
				waiters.Go(func() {
					mustToken(t, m.Manage("nameless", nameless), "T1")
					if took := time.Since(start); took > kind.others+latency {
						t.Errorf("a credential of another server without a group took %v, want %v", took, kind.others+latency)
					}
				})
				together(200, func(i int) {
					good := &issuer{life: time.Hour, latency: latency}
					group := fmt.Sprintf("%c.example.com", 'b'+i%4)
					mustToken(t, m.Manage(fmt.Sprint("good ", i), good, manager.Policy{Group: group}), "T1")
				})
				turns := 200/(64-int(kind.most[0])) + 2
				if took := time.Since(start); took > time.Duration(turns)*latency {
					t.Errorf("200 credentials of other servers took %v, want %d turns of %v at most", took, turns, latency)
				}
				time.Sleep(6 * time.Second)
				if got := m.Stats().InFlight; got != kind.most[1] {
					t.Errorf("refreshes in flight at the hanging server after 6s: got %d, want %d", got, kind.most[1])
				}
			})
		})
	}
}

// The same with early renewals, which hang while nobody waits for them: those of other
// servers, with and without a group, are done before their tokens expire, and new
// callers are served before them.
func TestScenario35OneServerHangsAtRenewals(t *testing.T) {
	const window = 55 * time.Minute // opens at the latest
	for _, kind := range hangingKinds {
		t.Run(kind.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := begin(t, manager.Config{})
				start := time.Now()
				for i := range 64 {
					c := m.Manage(fmt.Sprint("hanging ", i), kind.refresher(i), manager.Policy{Group: kind.group})
					mustInstall(t, c, login("old", "", time.Hour))
				}
				named, nameless := &issuer{life: time.Hour}, &issuer{life: time.Hour}
				for i := range 20 {
					mustInstall(t, m.Manage(fmt.Sprint("named ", i), named, manager.Policy{Group: "b.example.com"}), login("old", "", time.Hour))
					mustInstall(t, m.Manage(fmt.Sprint("nameless ", i), nameless), login("old", "", time.Hour))
				}
				time.Sleep(window + time.Second)
				asked := time.Now()
				mustToken(t, m.Manage("new", &issuer{life: time.Hour}, manager.Policy{Group: "b.example.com"}), "T1")
				if took := time.Since(asked); took > 0 {
					t.Errorf("a caller of another server waited for %v, want none", took)
				}
				time.Sleep(time.Minute)
				for name, issuer := range map[string]*issuer{"with": named, "without": nameless} {
					issuer.expectCalls(t, 20)
					for _, call := range issuer.book() {
						if at := call.at.Sub(start); at > window+kind.others {
							t.Errorf("%s, %s a group: renewed at %v, want at %v or earlier", call.name, name, at, window+kind.others)
						}
					}
				}
			})
		})
	}
}

// Section 4: a Refresher may name its group, and is one itself where it does not:
// closures of one literal together, instances each alone. Those without a name leave
// some slots to those with one.
func TestGroupOfARefresher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, test := range map[string]struct {
			config    manager.Config
			refresher func(manager.RefresherFunc) manager.Refresher
			want      int
		}{
			"closures":             {manager.Config{}, func(r manager.RefresherFunc) manager.Refresher { return r }, 16},
			"named":                {manager.Config{}, func(r manager.RefresherFunc) manager.Refresher { return grouper{r} }, 16},
			"instances":            {manager.Config{}, func(r manager.RefresherFunc) manager.Refresher { return &instance{r} }, 48},
			"values of one type":   {manager.Config{}, func(r manager.RefresherFunc) manager.Refresher { return instance{r} }, 16},
			"closures, no share":   {manager.Config{Refreshes: 8}, func(r manager.RefresherFunc) manager.Refresher { return r }, 6},
			"closures, two slots":  {manager.Config{Refreshes: 2}, func(r manager.RefresherFunc) manager.Refresher { return r }, 2},
			"closures, one slot":   {manager.Config{Refreshes: 1}, func(r manager.RefresherFunc) manager.Refresher { return r }, 1},
			"instances, one share": {manager.Config{Refreshes: 8, PerGroup: 1}, func(r manager.RefresherFunc) manager.Refresher { return &instance{r} }, 7},
		} {
			var inside gauge
			m := begin(t, test.config)
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

// A manager lends as many slots as it has, and no more; one that comes back serves
// the next.
func TestSlotsThatAreLent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := begin(t, manager.Config{Refreshes: 4, PerGroup: 1, Policy: manager.Policy{Limit: time.Minute}})
		start := time.Now()
		var waiters sync.WaitGroup
		defer waiters.Wait()
		for i := range 20 {
			c := m.Manage(fmt.Sprint("hanging ", i), new(hanging), manager.Policy{Group: fmt.Sprint("group ", i), Limit: time.Minute})
			waiters.Go(func() { _, _ = c.Token(within(t, 2*time.Minute)) })
		}
		for _, test := range []struct {
			at   time.Duration
			want int64
		}{{0, 4}, {4900 * time.Millisecond, 4}, {5100 * time.Millisecond, 8}, {59 * time.Second, 8}, {61 * time.Second, 8}, {66 * time.Second, 8}} {
			time.Sleep(time.Until(start.Add(test.at)))
			synctest.Wait()
			if got := m.Stats().InFlight; got != test.want {
				t.Errorf("in flight after %v: got %d, want %d", test.at, got, test.want)
			}
		}
	})
}

type grouper struct{ manager.Refresher }

func (grouper) Group() string { return "a.example.com" }

type instance struct{ manager.RefresherFunc }
