package persist

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"example.com/tokenactor/manager"
)

// opened is an empty store that is closed when the test ends.
func opened(t *testing.T) *DB {
	t.Helper()
	db, err := Open(filepath.Join(t.TempDir(), "tokens.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return db
}

// one is a write that replaces revision expect of name.
func one(name string, expect uint64, text string) []manager.Write {
	return []manager.Write{{Name: name, Expect: expect, Snapshot: manager.Snapshot{
		Token: manager.Token{AccessToken: manager.NewSecret(text)}, Revision: expect + 1,
	}}}
}

// commits is the number of transactions that were ever committed.
func commits(t *testing.T, db *DB) (n int) {
	t.Helper()
	if err := db.bolt.View(func(tx *bbolt.Tx) error { n = tx.ID(); return nil }); err != nil {
		t.Fatal(err)
	}
	return n
}

// begun starts a Save and returns when it waits. The function gives its errors.
func begun(ctx context.Context, db *DB, writes []manager.Write) func() []error {
	errsc := make(chan []error, 1)
	go func() { errsc <- db.Save(ctx, writes) }()
	synctest.Wait()
	return func() []error { return <-errsc }
}

// All Saves that wait share one transaction; those of one name are carried out in
// the order in which they came, and a conflict fails alone.
func TestSavesShareTransaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := opened(t)
		before := commits(t, db)
		db.writing.Lock()
		results := []func() []error{
			begun(t.Context(), db, one("b", 0, "1")),
			begun(t.Context(), db, one("a", 0, "a")),
			begun(t.Context(), db, one("c", 7, "conflict")),
			begun(t.Context(), db, one("b", 1, "2")),
			begun(t.Context(), db, one("b", 1, "late")),
			begun(t.Context(), db, append(one("b", 2, "3"), one("b", 3, "4")...)),
			begun(t.Context(), db, nil),
		}
		db.writing.Unlock()
		for i, want := range [][]error{{nil}, {nil}, {manager.ErrConflict}, {nil}, {manager.ErrConflict}, {nil, nil}, {}} {
			if got := results[i](); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("Save %d: %v, want %v", i, got, want)
			}
		}
		if got := commits(t, db) - before; got != 1 {
			t.Errorf("%d transactions, want 1", got)
		}
		got, err := db.Load(t.Context(), []string{"a", "b", "c"})
		if err != nil || got[0].Revision != 1 || got[1].Revision != 4 || got[1].Token.AccessToken.Reveal() != "4" || got[2].Revision != 0 {
			t.Errorf("Load = %v, %v, want revisions 1, 4, none", got, err)
		}
	})
}

// Whose context ends while it waits is let go at once, and stores nothing; the
// others do not notice.
func TestSaveLeavesTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := opened(t)
		ctx, cancel := context.WithCancel(t.Context())
		db.writing.Lock()
		first := begun(t.Context(), db, one("a", 0, "a"))
		leaver := begun(ctx, db, one("b", 0, "b"))
		last := begun(t.Context(), db, one("c", 0, "c"))
		cancel()
		if err := leaver()[0]; err != context.Canceled { // the turn is still taken
			t.Errorf("Save whose context ended: %v, want context.Canceled", err)
		}
		db.writing.Unlock()
		if err := errors.Join(first()[0], last()[0]); err != nil {
			t.Errorf("the other Saves: %v", err)
		}
		got, err := db.Load(t.Context(), []string{"a", "b", "c"})
		if err != nil || got[0].Revision != 1 || got[1].Revision != 0 || got[2].Revision != 1 {
			t.Errorf("Load = %v, %v, want the first and the last", got, err)
		}
	})
}

// When a context ends just as its Save has the turn, the next one takes it over.
func TestSaveHandsTheTurnOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := opened(t)
		db.writing.Lock()
		leaver := begun(&endsLater{Context: t.Context()}, db, one("a", 0, "a"))
		next := begun(t.Context(), db, one("b", 0, "b"))
		db.writing.Unlock()
		if err := leaver()[0]; err != context.Canceled {
			t.Errorf("Save whose context ended: %v, want context.Canceled", err)
		}
		if err := next()[0]; err != nil {
			t.Errorf("the next Save: %v", err)
		}
		if got, err := db.Load(t.Context(), []string{"a", "b"}); err != nil || got[0].Revision != 0 || got[1].Revision != 1 {
			t.Errorf("Load = %v, %v, want the second only", got, err)
		}
	})
}

// When the commit fails, each Save that was in it has the error, and so has one
// that was in conflict with nothing but a write that is now undone.
func TestCommitFailsForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := opened(t)
		info, err := db.file.Stat()
		if err != nil {
			t.Fatal(err)
		}
		db.bolt.MaxSize = int(info.Size()) // a full disk
		large := one("a", 0, "")
		large[0].Snapshot.Token.Scope = string(make([]byte, 1<<20))
		db.writing.Lock()
		first := begun(t.Context(), db, large)
		second := begun(t.Context(), db, one("b", 0, "b"))
		third := begun(t.Context(), db, one("c", 1, "conflict"))
		fourth := begun(t.Context(), db, one("b", 0, "after the second"))
		db.writing.Unlock()
		for i, want := range []error{berrors.ErrMaxSizeReached, berrors.ErrMaxSizeReached, manager.ErrConflict, berrors.ErrMaxSizeReached} {
			if err := []func() []error{first, second, third, fourth}[i]()[0]; !errors.Is(err, want) {
				t.Errorf("Save %d: %v, want %v", i, err, want)
			}
		}
		if got, err := db.Load(t.Context(), []string{"a", "b"}); err != nil || got[0].Revision+got[1].Revision != 0 {
			t.Errorf("Load after the failed commit = %v, %v, want nothing", got, err)
		}
	})
}

// A treacherous lease does what it likes when it is asked whether it is lost.
type treacherous func()

func (l treacherous) Lost() <-chan struct{}      { l(); return nil }
func (treacherous) Unlock(context.Context) error { return nil }
func (treacherous) Remaining() time.Duration     { return -1 }

// A Lease that panics costs its own write only. One that ends the goroutine costs
// the transaction; nobody waits for ever, and the next Save has the turn.
func TestTreacherousLease(t *testing.T) {
	for name, lease := range map[string]treacherous{"panic": func() { panic("lease") }, "goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				db := opened(t)
				bad := one("a", 0, "a")
				bad[0].Lease = lease
				db.writing.Lock()
				go db.Save(t.Context(), bad)
				synctest.Wait()
				other := begun(t.Context(), db, one("b", 0, "b"))
				db.writing.Unlock()
				want := error(nil)
				if name == "goexit" {
					want = errGivenUp
				}
				if err := other()[0]; err != want {
					t.Errorf("Save in the same transaction: %v, want %v", err, want)
				}
				synctest.Wait()
				if errs := db.Save(t.Context(), one("c", 0, "c")); errs[0] != nil {
					t.Errorf("the next Save: %v", errs[0])
				}
				got, err := db.Load(t.Context(), []string{"a", "b", "c"})
				if err != nil || got[0].Revision != 0 || got[1].Revision == 1 != (want == nil) || got[2].Revision != 1 {
					t.Errorf("Load = %v, %v", got, err)
				}
			})
		})
	}
}

// Close lets those finish who waited before it; who comes later is told.
func TestCloseBetweenSaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := opened(t)
		db.writing.Lock()
		first := begun(t.Context(), db, one("a", 0, "a"))
		closedc := make(chan error, 1)
		go func() { closedc <- db.Close() }()
		synctest.Wait()
		second := begun(t.Context(), db, one("b", 0, "b")) // the first has the turn before Close, and takes it along
		db.writing.Unlock()
		if err := errors.Join(first()[0], second()[0], <-closedc); err != nil {
			t.Errorf("the Saves and Close: %v", err)
		}
		db.writing.Lock()
		late := begun(t.Context(), db, one("c", 0, "c"))
		later := begun(t.Context(), db, one("d", 0, "d"))
		db.writing.Unlock()
		for _, result := range []func() []error{late, later} {
			if err := result()[0]; !errors.Is(err, fs.ErrClosed) {
				t.Errorf("Save after Close: %v, want fs.ErrClosed", err)
			}
		}
	})
}

// A deed is a Save of one write as its caller saw it, between two ticks.
type deed struct {
	name       string
	expect     uint64
	text       string
	begin, end int64
	err        error
}

// Many writers, some of which do not wait long: what they were told is what one
// after the other could have been told. That is checked for each name: each
// revision was written once, in the order of time; who was told of a conflict, or
// that his time was up, is not there; nobody was refused without a reason.
func TestHistoryOfSaves(t *testing.T) {
	const writers, each, names = 16, 60, 3
	db := opened(t)
	var clock atomic.Int64
	deeds := make([][]deed, writers)
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(i)))
			for k := range each {
				d := deed{name: fmt.Sprint("name ", random.IntN(names)), text: fmt.Sprint(i, " ", k)}
				seen, err := db.Load(t.Context(), []string{d.name})
				if err != nil {
					t.Error(err)
					return
				}
				ctx, cancel := context.WithCancel(t.Context())
				if random.IntN(4) == 0 {
					go cancel() // some time soon
				}
				d.expect = seen[0].Revision
				d.begin = clock.Add(1)
				d.err = db.Save(ctx, one(d.name, d.expect, d.text))[0]
				d.end = clock.Add(1)
				cancel()
				deeds[i] = append(deeds[i], d)
			}
		})
	}
	wg.Wait()

	accepted := make(map[string]map[uint64]deed) // by name and the revision that it made
	for n := range names {
		accepted[fmt.Sprint("name ", n)] = make(map[uint64]deed)
	}
	told := make(map[error]int)
	for _, list := range deeds {
		for _, d := range list {
			told[d.err]++
			if d.err != nil {
				continue
			}
			if other, twice := accepted[d.name][d.expect+1]; twice {
				t.Errorf("%v and %v both replaced one revision", d, other)
			}
			accepted[d.name][d.expect+1] = d
		}
	}
	for name, chain := range accepted {
		for revision := range uint64(len(chain)) {
			d, there := chain[revision+1]
			if !there {
				t.Fatalf("%s: %d writes were accepted, and none made revision %d", name, len(chain), revision+1)
			}
			if before := chain[revision]; d.end < before.begin {
				t.Errorf("%s: %v replaced what %v made later", name, d, before)
			}
		}
		got, err := db.Load(t.Context(), []string{name})
		if last := chain[uint64(len(chain))]; err != nil || got[0].Revision != uint64(len(chain)) || got[0].Token.AccessToken.Reveal() != last.text {
			t.Errorf("%s: Load = %v, %v, want revision %d by %v", name, got, err, len(chain), last)
		}
	}
	for _, list := range deeds {
		for _, d := range list {
			switch d.err {
			case nil, context.Canceled:
			case manager.ErrConflict:
				next, replaced := accepted[d.name][d.expect+1]
				if made := accepted[d.name][d.expect]; made.end < d.begin && (!replaced || d.end < next.begin) {
					t.Errorf("%v is a conflict, though revision %d stood all the time", d, d.expect)
				}
			default:
				t.Errorf("%v", d)
			}
		}
	}
	if told[nil] == 0 || told[manager.ErrConflict] == 0 || told[context.Canceled] == 0 {
		t.Errorf("outcomes %v: not all were met", told)
	}
}
