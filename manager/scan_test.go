package manager_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenactor/manager"
)

// unasked fails the test where a credential is refreshed that has a token.
func unasked(t *testing.T) manager.Refresher {
	return manager.RefresherFunc(func(_ context.Context, name string, _ manager.Token) (manager.Token, error) {
		t.Errorf("credential %q was refreshed", name)
		return manager.Token{}, errors.New("not expected")
	})
}

// stock fills a store with n tokens of one hour.
func stock(n int) *shelf {
	s := newShelf()
	for i := range n {
		s.change(fmt.Sprint("tenant-", i), func(s *manager.Snapshot) {
			s.Token, s.Generation = login(fmt.Sprint("stored-", i), "", time.Hour), 7
			s.Token.Expiry = time.Now().Add(time.Hour)
		})
	}
	return s
}

// countedLoads counts the names that were loaded one by one.
type countedLoads struct {
	*shelf
	names atomic.Int64
}

func (c *countedLoads) Load(ctx context.Context, names []string) ([]manager.Snapshot, error) {
	c.names.Add(int64(len(names)))
	return c.shelf.Load(ctx, names)
}

// One pass over the store serves all who are managed; the others are not touched.
func TestScan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const stored, managed = 2_000, 1_500
		store := &countedLoads{shelf: stock(stored)}
		m := begin(t, manager.Config{Store: store})
		var all []*manager.Credential
		for i := range managed {
			all = append(all, m.Manage(fmt.Sprint("tenant-", i), unasked(t)))
		}
		if err := m.Scan(t.Context()); err != nil {
			t.Fatalf("Scan: %v", err)
		}
		for i, c := range all {
			token, err := c.Token(t.Context())
			if err != nil {
				t.Fatalf("Token of %s after Scan: %v", c.Name(), err)
			}
			if got, want := token.AccessToken.Reveal(), fmt.Sprint("stored-", i); got != want {
				t.Fatalf("Token of %s after Scan: got %s, want %s", c.Name(), got, want)
			}
		}
		if got := store.names.Load(); got != 0 {
			t.Errorf("loads besides Scan: got %d, want none", got)
		}
		if got := m.Stats().Loads; got != managed {
			t.Errorf("Stats().Loads: got %d, want %d", got, managed)
		}
	})
}

// A credential that is not stored is new after Scan as before.
func TestScanLeavesNewOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := begin(t, manager.Config{Store: stock(1)})
		c := m.Manage("stranger", manager.RefresherFunc(func(context.Context, string, manager.Token) (manager.Token, error) {
			return login("fresh", "", time.Hour), nil
		}))
		if err := m.Scan(t.Context()); err != nil {
			t.Fatalf("Scan: %v", err)
		}
		if got := c.Status().State; got != manager.StateNew {
			t.Errorf("state after Scan: got %q, want %q", got, manager.StateNew)
		}
		mustToken(t, c, "fresh")
	})
}

// brokenScan fails after its first record.
type brokenScan struct{ *shelf }

var errTorn = errors.New("torn page")

func (b brokenScan) Scan(ctx context.Context, f func(string, manager.Snapshot) error) error {
	first := true
	return errors.Join(b.shelf.Scan(ctx, func(name string, s manager.Snapshot) error {
		if !first {
			return nil
		}
		first = false
		return f(name, s)
	}), &manager.NameError{Name: "tenant-x", Err: errTorn})
}

// What could be read is usable, and the error names what could not.
func TestScanDamage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := begin(t, manager.Config{Store: brokenScan{stock(1)}})
		c := m.Manage("tenant-0", unasked(t))
		err := m.Scan(t.Context())
		if named, ok := errors.AsType[*manager.NameError](err); !ok || named.Name != "tenant-x" || !errors.Is(err, errTorn) {
			t.Errorf("Scan: got %v, want a NameError of tenant-x", err)
		}
		mustToken(t, c, "stored-0")
	})
}

// After Close Scan says so, and waits for nobody.
func TestScanAfterClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := begin(t, manager.Config{Store: stock(1)})
		m.Manage("tenant-0", unasked(t))
		if err := m.Close(); err != nil {
			t.Fatalf("Close: %v", err)
		}
		if err := m.Scan(t.Context()); !errors.Is(err, manager.ErrClosed) {
			t.Errorf("Scan after Close: got %v, want ErrClosed", err)
		}
	})
}

// A watched shelf tells what is written to it. Its first watch breaks off.
type watched struct {
	*shelf
	newsc   chan string
	watches atomic.Int64
}

func (w *watched) Watch(ctx context.Context, f func(string, uint64)) error {
	if w.watches.Add(1) == 1 {
		return errors.New("connection lost")
	}
	for {
		select {
		case name := <-w.newsc:
			f(name, w.get(name).Revision)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// A sibling's token is adopted when its news come, without a refresh, also after
// the news broke off once.
func TestNewsAreAdopted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &watched{shelf: stock(1), newsc: make(chan string)}
		m := begin(t, manager.Config{Store: store})
		c := m.Manage("tenant-0", unasked(t))
		mustToken(t, c, "stored-0")
		time.Sleep(2 * time.Second)
		store.change("tenant-0", func(s *manager.Snapshot) {
			s.Generation++
			s.Token = login("sibling's", "", time.Hour)
			s.Token.Expiry = time.Now().Add(time.Hour)
		})
		store.newsc <- "tenant-0"
		synctest.Wait()
		mustToken(t, c, "sibling's")
		if s := c.Status(); s.Source != manager.SourceSibling || s.Generation != 8 {
			t.Errorf("Status: got source %v, generation %d, want sibling, 8", s.Source, s.Generation)
		}
		if got := store.watches.Load(); got != 2 {
			t.Errorf("watches: got %d, want 2", got)
		}
	})
}
