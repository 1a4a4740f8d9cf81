package persisttest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/tokenactor/manager"
)

func init() { patience = 2 * time.Second } // enough in memory, and some faults use it up

// The suite finds each of these faults, by the check that is there for it, and
// none in a store without one.
func TestFindsFaults(t *testing.T) {
	all := slices.Concat(oneProcess, durable, several, news, leases, losing)
	var (
		mu  sync.Mutex
		ran []string
	)
	for _, c := range []struct {
		fault string
		want  string // the check that must fail; "": none may
	}{
		{"", ""},
		{"missing is an error", "missing"},
		{"loads in the order of names", "missing"},
		{"forgets RefreshExpiry", "round trip"},
		{"forgets RefreshIn", "round trip"},
		{"forgets Asked", "round trip"},
		{"forgets RetryAt", "round trip"},
		{"forgets suspicions", "round trip"},
		{"forgets Answered", "round trip"},
		{"keeps one refusal", "round trip"},
		{"forgets Asker", "round trip"},
		{"keeps the refusals of old", "round trip"},
		{"keeps whole seconds", "round trip"},
		{"joins the extras of old and new", "round trip"},
		{"ignores Expect", "compare and swap"},
		{"makes over what is there", "compare and swap"},
		{"one conflict fails the batch", "one conflict among many"},
		{"errors in the order of names", "one conflict among many"},
		{"compares before it stores", "one name twice in a batch"},
		{"stores a hundred at most", "big batch"},
		{"scans no tombstones", "scan"},
		{"scans on after an error", "scan"},
		{"scans twice", "scan"},
		{"ignores the context", "cancelled context"},
		{"deletes at a tombstone", "tombstone"},
		{"keeps the caller's map", "memory of the caller"},
		{"keeps the caller's refusals", "memory of the caller"},
		{"sorts the caller's slice", "memory of the caller"},
		{"names are text", "odd names"},
		{"ignores a lost lease", "lost lease"},
		{"lets go between compare and store", "one winner"},
		{"conflicts for ever", "increments"},
		{"loads half", "readers beside a writer"},
		{"forgets what it stored", "histories"},
		{"stores what it refuses", "histories"},
		{"refuses for no reason", "histories"},
		{"loads what is older", "histories"},
		{"loads half", "histories"},
		{"forgets at reopening", "reopen"},
		{"handles are stores of their own", "handles of one store"},
		{"lets go between compare and store", "one winner of many handles"},
		{"conflicts for ever", "increments by many handles"},
		{"loads half", "reader on another handle"},
		{"forgets what it stored", "histories of many handles"},
		{"handles are stores of their own", "histories of many handles"},
		{"tells each name once", "news"},
		{"tells of a hundred at most", "news of a batch"},
		{"stops telling", "news ends with its context"},
		{"leases exclude nobody", "lease excludes"},
		{"does not wait for leases", "lease is waited for"},
		{"ignores the context", "lease of an ended context"},
		{"frees whoever has it", "lease given up twice"},
		{"gives a lease to two", "lease after lease"},
		{"names are text", "leases of odd names"},
		{"ignores a lost lease", "write under a lease"},
		{"any lease will do", "write under the wrong lease"},
		{"ignores a lost lease", "lease lost"},
	} {
		t.Run(cmp.Or(c.fault, "none"), func(t *testing.T) {
			t.Parallel()
			s := suite{
				open: func(testing.TB) manager.Store { return newFaulty(c.fault) },
				reopen: func(_ testing.TB, s manager.Store) manager.Store {
					if c.fault == "forgets at reopening" {
						return newFaulty("")
					}
					return s
				},
				another: func(_ testing.TB, s manager.Store) manager.Store {
					if c.fault == "handles are stores of their own" {
						return newFaulty("")
					}
					return s
				},
				lose: func(_ testing.TB, s manager.Store, name string) { s.(*faulty).lose(name) },
			}
			for _, check := range all {
				if c.want != "" && c.want != check.name {
					continue // this fault may break other checks too, or hang them
				}
				failures := record(t, check, &s)
				if (len(failures) > 0) != (check.name == c.want) {
					t.Errorf("check %q of a store with fault %q: failures %q", check.name, c.fault, failures)
				}
				mu.Lock()
				ran = append(ran, check.name)
				mu.Unlock()
			}
		})
	}
	t.Cleanup(func() { // when all have run
		for _, check := range all {
			if n := len(slices.DeleteFunc(slices.Clone(ran), func(name string) bool { return name != check.name })); n < 2 {
				t.Errorf("check %q was run %d times: it needs a fault that it finds", check.name, n)
			}
		}
	})
}

// The checks prove that a field survives only if it is set in full.
func TestFullSetsEveryField(t *testing.T) {
	var check func(path string, v reflect.Value)
	check = func(path string, v reflect.Value) {
		switch {
		case v.IsZero() && path != "Snapshot.Revision" && path != "Snapshot.Token.RefreshExpiresIn": // that of the write; not stored
			t.Errorf("%s is not set", path)
		case v.Kind() == reflect.Slice:
			check(path+"[0]", v.Index(0))
		case v.Kind() == reflect.Struct && v.Type() != reflect.TypeFor[time.Time]() && v.Type() != reflect.TypeFor[manager.Secret]():
			for i := range v.NumField() {
				if f := v.Type().Field(i); f.IsExported() {
					check(path+"."+f.Name, v.Field(i))
				}
			}
		}
	}
	check("Snapshot", reflect.ValueOf(full()))
	if got := len(full().Refusals); got != manager.MaxRefusals {
		t.Errorf("%d refusals, want %d", got, manager.MaxRefusals)
	}
}

// A recorder is a testing.TB that notes failures in place of failing.
type recorder struct {
	testing.TB
	failures []string
}

// record runs c and gives its failures.
func record(t *testing.T, c check, s *suite) []string {
	r := &recorder{TB: t}
	var wg sync.WaitGroup
	wg.Go(func() { c.run(r, s) }) // a goroutine of its own, for Fatalf to end
	wg.Wait()
	return r.failures
}

func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

// A faulty is a right store in memory, but for one fault.
type faulty struct {
	fault string

	mu        sync.Mutex
	snapshots map[string]manager.Snapshot

	atOnce sync.WaitGroup // the writers, of "lets go between compare and store"

	history []manager.Write // for Watch
	changec chan struct{}   // closed at the next write, or when a lease is free
	leases  map[string]*faultyLease
	locks   int

	turns int // of what a fault does now and then
}

func newFaulty(fault string) *faulty {
	s := &faulty{fault: fault, snapshots: make(map[string]manager.Snapshot),
		changec: make(chan struct{}), leases: make(map[string]*faultyLease)}
	s.atOnce.Add(writers)
	return s
}

func (s *faulty) has(fault string) bool { return s.fault == fault }

// now says each tenth time that it has fault. The store is locked.
func (s *faulty) now(fault string) bool {
	if s.has(fault) {
		s.turns++
	}
	return s.has(fault) && s.turns%10 == 0
}

func (s *faulty) key(name string) string {
	if s.has("names are text") {
		return strings.ToValidUTF8(name, "?")
	}
	return name
}

func (s *faulty) copy(from manager.Snapshot) manager.Snapshot {
	if !s.has("keeps the caller's map") {
		from.Token.Extra = maps.Clone(from.Token.Extra)
	}
	if !s.has("keeps the caller's refusals") {
		from.Refusals = slices.Clone(from.Refusals)
	}
	return from
}

func (s *faulty) Load(ctx context.Context, names []string) ([]manager.Snapshot, error) {
	if err := ctx.Err(); err != nil && !s.has("ignores the context") {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.has("loads in the order of names") {
		names = slices.Sorted(slices.Values(names))
	}
	snapshots := make([]manager.Snapshot, len(names))
	for i, name := range names {
		found, ok := s.snapshots[s.key(name)]
		if !ok && s.has("missing is an error") {
			return nil, errors.New("missing")
		}
		if s.has("loads half") && found.Revision > 1 {
			found.Revision--
		}
		if s.now("loads what is older") {
			for _, w := range s.history {
				if w.Name == name && w.Snapshot.Revision < found.Revision {
					found = w.Snapshot
					break
				}
			}
		}
		snapshots[i] = s.copy(found)
	}
	return snapshots, nil
}

func (s *faulty) Scan(ctx context.Context, f func(string, manager.Snapshot) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, found := range s.snapshots {
		if err := ctx.Err(); err != nil && !s.has("ignores the context") {
			return err
		}
		if found.Tombstone() && s.has("scans no tombstones") {
			continue
		}
		err := f(name, s.copy(found))
		if s.has("scans twice") {
			err = f(name, s.copy(found))
		}
		if err != nil && !s.has("scans on after an error") {
			return err
		}
	}
	return nil
}

func (s *faulty) Save(ctx context.Context, writes []manager.Write) []error {
	errs := make([]error, len(writes))
	if err := ctx.Err(); err != nil && !s.has("ignores the context") {
		for i := range errs {
			errs[i] = err
		}
		return errs
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	byName := func(a, b manager.Write) int { return cmp.Compare(a.Name, b.Name) }
	if s.has("sorts the caller's slice") {
		slices.SortFunc(writes, byName)
	}
	if s.has("errors in the order of names") {
		writes = slices.SortedFunc(slices.Values(writes), byName)
	}
	if s.has("one conflict fails the batch") {
		for i := range writes {
			if err := s.compare(&writes[i]); err != nil {
				for i := range errs {
					errs[i] = err
				}
				return errs
			}
		}
	}
	if s.has("compares before it stores") {
		for i := range writes {
			errs[i] = s.compare(&writes[i])
		}
		for i := range writes {
			if errs[i] == nil {
				s.store(&writes[i])
			}
		}
		return errs
	}
	for i := range writes {
		if i >= 100 && s.has("stores a hundred at most") {
			break
		}
		if errs[i] = s.compare(&writes[i]); errs[i] == nil {
			if writes[i].Expect > 0 && s.has("lets go between compare and store") {
				s.mu.Unlock()
				s.atOnce.Done()
				s.atOnce.Wait()
				s.mu.Lock()
			}
			switch {
			case s.now("forgets what it stored"):
				continue
			case s.now("refuses for no reason"):
				errs[i] = manager.ErrConflict
				continue
			case s.now("stores what it refuses"):
				errs[i] = manager.ErrConflict
			}
			s.store(&writes[i])
		}
	}
	return errs
}

func (s *faulty) compare(w *manager.Write) error {
	if w.Lease != nil && !s.has("ignores a lost lease") && !s.covers(w) {
		return manager.ErrLeaseLost
	}
	revision := s.snapshots[s.key(w.Name)].Revision
	switch {
	case s.has("ignores Expect"), w.Expect == 0 && s.has("makes over what is there"):
		return nil
	case revision != w.Expect, revision > 0 && s.has("conflicts for ever"):
		return manager.ErrConflict
	}
	return nil
}

func (s *faulty) store(w *manager.Write) {
	key, next := s.key(w.Name), s.copy(w.Snapshot)
	switch {
	case s.has("forgets RefreshExpiry"):
		next.Token.RefreshExpiry = time.Time{}
	case s.has("forgets RefreshIn"):
		next.Token.RefreshIn = 0
	case s.has("forgets Asked"):
		next.Asked = 0
	case s.has("forgets RetryAt"):
		next.RetryAt = time.Time{}
	case s.has("forgets suspicions"):
		next.Suspicion = manager.Suspicion{}
	case s.has("forgets Answered"):
		next.Mark.Answered = false
	case s.has("keeps one refusal"):
		next.Refusals = next.Refusals[:min(1, len(next.Refusals))]
	case s.has("forgets Asker"):
		for i := range next.Refusals {
			next.Refusals[i].Asker = 0
		}
	case s.has("keeps the refusals of old") && next.Refusals == nil:
		next.Refusals = s.snapshots[key].Refusals
	case s.has("keeps whole seconds"):
		next.Token.Expiry = next.Token.Expiry.Truncate(time.Second)
	case s.has("joins the extras of old and new"):
		for name, value := range s.snapshots[key].Token.Extra {
			if next.Token.Extra == nil {
				next.Token.Extra = make(map[string]manager.Secret)
			}
			next.Token.Extra[name] = value
		}
	case s.has("deletes at a tombstone") && next.Tombstone():
		delete(s.snapshots, key)
		return
	}
	s.snapshots[key] = next
	s.history = append(s.history, *w)
	s.change()
}
