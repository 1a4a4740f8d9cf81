package persisttest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"

	"example.com/tokenactor/manager"
)

// oneProcess is what every store must do.
var oneProcess = []check{
	{"missing", missing},
	{"round trip", roundTrip},
	{"compare and swap", compareAndSwap},
	{"one conflict among many", oneConflict},
	{"one name twice in a batch", oneNameTwice},
	{"big batch", bigBatch},
	{"scan", scanning},
	{"cancelled context", cancelled},
	{"tombstone", tombstone},
	{"memory of the caller", callersMemory},
	{"odd names", oddNames},
	{"lost lease", lostLease},
	{"one winner", oneWinner},
	{"increments", increments},
	{"readers beside a writer", readersBesideWriter},
	{"histories", histories},
}

// durable is what a store must do that outlives the process.
var durable = []check{
	{"reopen", reopening},
}

// A name that was never stored has the zero snapshot and is no error.
func missing(tb testing.TB, s *suite) {
	store := s.open(tb)
	mustSave(tb, store, write("a", 0, token("a")))
	got := load(tb, store, "none", "a", "nothing")
	equal(tb, `Load("none")`, got[0], manager.Snapshot{})
	equal(tb, `Load("a")`, got[1], write("a", 0, token("a")).Snapshot)
	equal(tb, `Load("nothing")`, got[2], manager.Snapshot{})
	load(tb, store)
	mustSave(tb, store)
}

// Every field comes back, and as much of it as was given.
func roundTrip(tb testing.TB, s *suite) {
	store := s.open(tb)
	for _, w := range []manager.Write{
		write("full", 0, full()),
		write("zero", 0, manager.Snapshot{}),
		write("plain", 0, token("plain")),
		write("plain", 1, full()),
		write("plain", 2, token("plain again")),
	} {
		mustSave(tb, store, w)
		stored(tb, store, w)
	}
}

// A write is stored where its Expect is the stored revision, and nowhere else.
func compareAndSwap(tb testing.TB, s *suite) {
	store := s.open(tb)
	mustConflict(tb, store, write("a", 1, token("replaces nothing")))
	equal(tb, "Load after the conflict", load(tb, store, "a")[0], manager.Snapshot{})

	first, second := write("a", 0, token("first")), write("a", 1, token("second"))
	mustSave(tb, store, first)
	mustConflict(tb, store, write("a", 0, token("made a second time")))
	mustConflict(tb, store, write("a", 2, token("from the future")))
	stored(tb, store, first)
	mustSave(tb, store, second)
	mustConflict(tb, store, write("a", 1, token("late")))
	mustConflict(tb, store, write("a", 0, token("later")))
	stored(tb, store, second)
}

// A conflict fails its own write alone, and the errors are in the order of the writes.
func oneConflict(tb testing.TB, s *suite) {
	store := s.open(tb)
	old := write("c", 0, token("old"))
	mustSave(tb, store, old)
	writes := []manager.Write{
		write("e", 0, token("e")), write("c", 0, token("conflicts")), write("a", 0, token("a")),
		write("d", 5, token("conflicts")), write("b", 0, token("b")),
	}
	for i, err := range save(tb, store, writes...) {
		if want := i == 1 || i == 3; errors.Is(err, manager.ErrConflict) != want || !want && err != nil {
			tb.Errorf("write %d of %q: error %v, want a conflict: %t", i, writes[i].Name, err, want)
		}
	}
	stored(tb, store, writes[0])
	stored(tb, store, old)
	stored(tb, store, writes[2])
	equal(tb, `Load("d")`, load(tb, store, "d")[0], manager.Snapshot{})
	stored(tb, store, writes[4])
}

// Of two writes that replace one revision, one is stored, in one batch too.
func oneNameTwice(tb testing.TB, s *suite) {
	store := s.open(tb)
	writes := []manager.Write{write("a", 0, token("first")), write("a", 0, token("second"))}
	won := -1
	for i, err := range save(tb, store, writes...) {
		switch {
		case err == nil && won < 0:
			won = i
		case err == nil:
			tb.Errorf("both writes of one revision were stored")
		case !errors.Is(err, manager.ErrConflict):
			tb.Errorf("write %d: error %v, want ErrConflict", i, err)
		}
	}
	if won < 0 {
		tb.Fatalf("neither write of one revision was stored")
	}
	stored(tb, store, writes[won])
}

// A thousand writes in no order are a batch like any other.
func bigBatch(tb testing.TB, s *suite) {
	store := s.open(tb)
	const n = 1000
	names, writes := make([]string, n), make([]manager.Write, n)
	for i := range n {
		names[i] = fmt.Sprint("credential ", i*7919%n)
		writes[n-1-i] = write(names[i], 0, token(names[i]))
	}
	mustSave(tb, store, writes...)
	for i, got := range load(tb, store, names...) {
		equal(tb, names[i], got, writes[n-1-i].Snapshot)
	}
	if got := len(scan(tb, store)); got != n {
		tb.Errorf("Scan told of %d names, want %d", got, n)
	}
}

// Scan tells of each stored snapshot once, and stops when it is told to.
func scanning(tb testing.TB, s *suite) {
	store := s.open(tb)
	if got := scan(tb, store); len(got) != 0 {
		tb.Errorf("Scan of an empty store told of %d names", len(got))
	}
	want := make(map[string]manager.Snapshot)
	for _, w := range []manager.Write{
		write("a", 0, full()), write("b", 0, token("b")), write("b", 1, token("b again")),
		write("gone", 0, manager.Snapshot{Login: 2, Generation: 1}), // a tombstone is stored as well
	} {
		mustSave(tb, store, w)
		want[w.Name] = w.Snapshot
	}
	got := scan(tb, store)
	for name := range got {
		if _, ok := want[name]; !ok {
			tb.Errorf("Scan told of %q, which was never stored", name)
		}
	}
	for name := range want {
		equal(tb, fmt.Sprintf("Scan of %q", name), got[name], want[name])
	}

	enough, calls := errors.New("enough"), 0
	err := store.Scan(tb.Context(), func(string, manager.Snapshot) error { calls++; return enough })
	if !errors.Is(err, enough) || calls != 1 {
		tb.Errorf("Scan whose function returns an error: error %v after %d calls, want that error after 1", err, calls)
	}
}

// A context that has ended ends the call, before anything is stored.
func cancelled(tb testing.TB, s *suite) {
	store := s.open(tb)
	first := write("a", 0, token("first"))
	mustSave(tb, store, first, write("b", 0, token("b")))
	ctx, cancel := context.WithCancel(tb.Context())
	err := store.Scan(ctx, func(string, manager.Snapshot) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		tb.Errorf("Scan that is cancelled on its way: error %v, want context.Canceled", err)
	}
	if _, err := store.Load(ctx, []string{"a"}); !errors.Is(err, context.Canceled) {
		tb.Errorf("Load: error %v, want context.Canceled", err)
	}
	err = store.Scan(ctx, func(name string, _ manager.Snapshot) error {
		tb.Errorf("a cancelled Scan told of %q", name)
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		tb.Errorf("Scan: error %v, want context.Canceled", err)
	}
	errs := store.Save(ctx, []manager.Write{write("a", 1, token("late")), write("c", 0, token("c"))})
	if len(errs) != 2 || !errors.Is(errs[0], context.Canceled) || !errors.Is(errs[1], context.Canceled) {
		tb.Errorf("Save: errors %v, want context.Canceled twice", errs)
	}
	stored(tb, store, first)
	equal(tb, `Load("c")`, load(tb, store, "c")[0], manager.Snapshot{})
}

// A logout is a write like others: revisions go on growing over it.
func tombstone(tb testing.TB, s *suite) {
	store := s.open(tb)
	mustSave(tb, store, write("a", 0, token("first")))
	gone := write("a", 1, manager.Snapshot{Login: 2, Generation: 1})
	mustSave(tb, store, gone)
	stored(tb, store, gone)
	mustConflict(tb, store, write("a", 0, token("as if there were none")))
	mustConflict(tb, store, write("a", 1, token("a late refresh")))
	stored(tb, store, gone)
	login := write("a", 2, token("a new login"))
	mustSave(tb, store, login)
	stored(tb, store, login)
}

// The store shares nothing with its caller once a call has returned, and
// changes nothing that it is given.
func callersMemory(tb testing.TB, s *suite) {
	store := s.open(tb)
	want := write("b", 0, full())
	given := func() []manager.Write {
		return []manager.Write{write("c", 0, token("c")), write("b", 0, full()), write("a", 0, token("a"))}
	}
	writes := given()
	mustSave(tb, store, writes...)
	if !reflect.DeepEqual(writes, given()) {
		tb.Errorf("Save changed its argument")
	}
	change := func(s manager.Snapshot, when string) {
		s.Token.Extra["user"] = manager.NewSecret("changed after " + when)
		for i := range s.Refusals {
			s.Refusals[i].Reason = "changed after " + when
		}
	}
	change(writes[1].Snapshot, "Save")
	clear(writes)
	stored(tb, store, want)

	names := []string{"c", "b", "a"}
	snapshots := load(tb, store, names...)
	if !reflect.DeepEqual(names, []string{"c", "b", "a"}) {
		tb.Errorf("Load changed its argument to %q", names)
	}
	change(snapshots[1], "Load")
	clear(snapshots)
	clear(names)
	stored(tb, store, want)

	change(scan(tb, store)["b"], "Scan")
	stored(tb, store, want)
}

// oddOnes are names, no two of them the same credential.
var oddOnes = []string{
	" ", "  ", "a", "A", "a ", "a\x00", "\x00", "a/b", "a//b", "..", "%", "_", "*", "'; --", "{a}b", "a\nb", "\u00e4", "a\u0308",
	"\xff", "\xff\xfe", string(make([]byte, 1000)),
}

// Names are bytes.
func oddNames(tb testing.TB, s *suite) {
	store, names := s.open(tb), oddOnes
	for _, name := range names {
		mustSave(tb, store, write(name, 0, token(name)))
	}
	all := scan(tb, store)
	for i, got := range load(tb, store, names...) {
		want := write(names[i], 0, token(names[i])).Snapshot
		equal(tb, fmt.Sprintf("Load(%q)", names[i]), got, want)
		equal(tb, fmt.Sprintf("Scan of %q", names[i]), all[names[i]], want)
	}
	if len(all) != len(names) {
		tb.Errorf("Scan told of %d names, want %d", len(all), len(names))
	}
}

// A write whose lease is lost is not stored; the others of its batch are.
func lostLease(tb testing.TB, s *suite) {
	store := s.open(tb)
	late, other := write("a", 0, token("late")), write("b", 0, token("b"))
	late.Lease = lost{}
	errs := save(tb, store, late, other)
	if !errors.Is(errs[0], manager.ErrLeaseLost) || errs[1] != nil {
		tb.Errorf("errors %v, want ErrLeaseLost and nil", errs)
	}
	equal(tb, `Load("a")`, load(tb, store, "a")[0], manager.Snapshot{})
	stored(tb, store, other)
}

// What was saved is there after a restart, and revisions go on from there.
func reopening(tb testing.TB, s *suite) {
	store := s.open(tb)
	a, b := write("a", 0, full()), write("b", 1, token("b again"))
	mustSave(tb, store, a, write("b", 0, token("b")))
	mustSave(tb, store, b)
	store = s.reopen(tb, store)
	stored(tb, store, a)
	stored(tb, store, b)
	mustConflict(tb, store, write("a", 0, token("as if there were none")))
	mustConflict(tb, store, write("b", 1, token("late")))
	if got := len(scan(tb, store)); got != 2 {
		tb.Errorf("Scan told of %d names, want 2", got)
	}
	next := write("b", 2, token("next"))
	mustSave(tb, store, next)
	stored(tb, store, next)
}
