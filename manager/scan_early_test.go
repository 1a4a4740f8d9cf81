package manager_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenactor/manager"
)

// A slowScan tells of the first snapshots at once, and of the last when it may.
type slowScan struct {
	*countedLoads
	first, all int
	gatec      chan struct{} // closed when it may go on
}

func (s slowScan) Scan(ctx context.Context, f func(string, manager.Snapshot) error) error {
	for i := range s.all {
		if i == s.first {
			<-s.gatec
		}
		name := fmt.Sprint("tenant-", i)
		if err := f(name, s.get(name)); err != nil {
			return err
		}
	}
	return nil
}

// While Scan has not come to its end, what it found is usable, and what it has not
// found yet is loaded by itself for those who ask: nobody waits for a million.
func TestScanServesBeforeItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const first, all = 5_000, 6_000
		store := slowScan{&countedLoads{shelf: stock(all)}, first, all, make(chan struct{})}
		m := begin(t, manager.Config{Store: store})
		credentials := make([]*manager.Credential, all)
		for i := range credentials {
			credentials[i] = m.Manage(fmt.Sprint("tenant-", i), unasked(t))
		}
		scanned := make(chan error, 1)
		go func() { scanned <- m.Scan(t.Context()) }()
		synctest.Wait()

		begun := time.Now()
		mustToken(t, credentials[0], "stored-0")
		if got := store.names.Load(); got != 0 {
			t.Errorf("loads for what Scan has found: got %d, want none", got)
		}
		mustToken(t, credentials[all-1], fmt.Sprint("stored-", all-1))
		if got := store.names.Load(); got != 1 {
			t.Errorf("loads for what Scan has not found yet: got %d, want 1", got)
		}
		if waited := time.Since(begun); waited != 0 {
			t.Errorf("the callers waited %v", waited)
		}
		select {
		case err := <-scanned:
			t.Fatalf("Scan had ended: %v", err)
		default:
		}

		close(store.gatec)
		if err := <-scanned; err != nil {
			t.Fatalf("Scan: %v", err)
		}
		synctest.Wait()
		if got := m.Stats().Loads; got != all {
			t.Errorf("Stats().Loads: got %d, want %d", got, all)
		}
		mustToken(t, credentials[first], fmt.Sprint("stored-", first))
		if got := store.names.Load(); got != 1 {
			t.Errorf("loads besides Scan: got %d, want 1", got)
		}
	})
}
