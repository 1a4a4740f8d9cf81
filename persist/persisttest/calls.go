package persisttest

import (
	"errors"
	"fmt"
	"testing"

	"example.com/tokenactor/manager"
)

// save saves writes and returns their errors, one each.
func save(tb testing.TB, s manager.Store, writes ...manager.Write) []error {
	tb.Helper()
	errs := s.Save(tb.Context(), writes)
	if len(errs) != len(writes) {
		tb.Fatalf("Save of %d writes gave %d errors", len(writes), len(errs))
	}
	return errs
}

// mustSave saves writes that cannot conflict.
func mustSave(tb testing.TB, s manager.Store, writes ...manager.Write) {
	tb.Helper()
	for i, err := range save(tb, s, writes...) {
		if err != nil {
			tb.Fatalf("Save of %q at revision %d: %v", writes[i].Name, writes[i].Expect, err)
		}
	}
}

// mustConflict saves one write that must not be stored.
func mustConflict(tb testing.TB, s manager.Store, w manager.Write) {
	tb.Helper()
	if err := save(tb, s, w)[0]; !errors.Is(err, manager.ErrConflict) {
		tb.Errorf("Save of %q at revision %d: error %v, want ErrConflict", w.Name, w.Expect, err)
	}
}

// load loads names that are all in order.
func load(tb testing.TB, s manager.Store, names ...string) []manager.Snapshot {
	tb.Helper()
	snapshots, err := s.Load(tb.Context(), names)
	if err != nil {
		tb.Fatalf("Load(%q): %v", names, err)
	}
	if len(snapshots) != len(names) {
		tb.Fatalf("Load of %d names gave %d snapshots", len(names), len(snapshots))
	}
	return snapshots
}

// scan returns all that Scan tells of. A name told twice is an error.
func scan(tb testing.TB, s manager.Store) map[string]manager.Snapshot {
	tb.Helper()
	all := make(map[string]manager.Snapshot)
	if err := s.Scan(tb.Context(), func(name string, s manager.Snapshot) error {
		if _, twice := all[name]; twice {
			tb.Errorf("Scan told of %q twice", name)
		}
		all[name] = s
		return nil
	}); err != nil {
		tb.Fatalf("Scan: %v", err)
	}
	return all
}

// stored checks that s holds exactly what w wrote.
func stored(tb testing.TB, s manager.Store, w manager.Write) {
	tb.Helper()
	equal(tb, fmt.Sprintf("Load(%q)", w.Name), load(tb, s, w.Name)[0], w.Snapshot)
}
