package manager_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenactor/manager"
)

// renewals counts refreshes by name.
type renewals struct {
	mu sync.Mutex
	by map[string]int
}

func (r *renewals) Refresh(_ context.Context, name string, _ manager.Token) (manager.Token, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.by[name]++
	return login(fmt.Sprintf("%s-%d", name, r.by[name]), "", time.Hour), nil
}

// Many are managed, few are used: all are usable after one pass over the store,
// and only Idle decides which of them are renewed. What a million take is
// measured by BenchmarkMillion and bench.
func TestScenario36ManyManagedFewUsed(t *testing.T) {
	const managed, used = 5_000, 50
	for _, test := range []struct {
		idle time.Duration
		want int // renewed at least once in two hours
	}{
		{0, managed},
		{30 * time.Minute, used},
	} {
		t.Run(fmt.Sprint("idle=", test.idle), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &renewals{by: make(map[string]int)}
				m := begin(t, manager.Config{Store: stock(managed), Policy: manager.Policy{Idle: test.idle}})
				var all []*manager.Credential
				for i := range managed {
					all = append(all, m.Manage(fmt.Sprint("tenant-", i), r))
				}
				if err := m.Scan(t.Context()); err != nil {
					t.Fatalf("Scan: %v", err)
				}
				for range 12 {
					for _, c := range all[:used] {
						mustToken(t, c, "")
					}
					time.Sleep(10 * time.Minute)
				}
				synctest.Wait()
				r.mu.Lock()
				if got := len(r.by); got != test.want {
					t.Errorf("renewed: got %d of %d credentials, want %d", got, managed, test.want)
				}
				for name, n := range r.by {
					if n > 3 {
						t.Errorf("%s was refreshed %d times in two hours of one-hour tokens", name, n)
					}
				}
				r.mu.Unlock()
				if test.idle == 0 {
					return
				}
				last := all[managed-1]
				token := mustToken(t, last, last.Name()+"-1") // its next reader waits for a refresh
				if got := token.Generation(); got != 8 {
					t.Errorf("generation of %s: got %d, want 8", last.Name(), got)
				}
			})
		})
	}
}
