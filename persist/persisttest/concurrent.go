package persisttest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"example.com/tokenactor/manager"
)

// writers is how many goroutines write one name at once.
const writers = 16

// Of many writers that replace one revision, exactly one wins, and it is the
// winner's snapshot that is stored.
func oneWinner(tb testing.TB, s *suite) { oneOf(tb, s.handles(tb, 1)) }

// oneOf lets writers replace one revision, each on one of the handles.
func oneOf(tb testing.TB, handles []manager.Store) {
	store := handles[0]
	mustSave(tb, store, write("a", 0, token("first")))
	errs := make([]error, writers)
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			errs[i] = handles[i%len(handles)].Save(tb.Context(), []manager.Write{write("a", 1, token(fmt.Sprint("writer ", i)))})[0]
		})
	}
	wg.Wait()
	won := -1
	for i, err := range errs {
		switch {
		case err == nil && won >= 0:
			tb.Errorf("writers %d and %d both replaced revision 1", won, i)
		case err == nil:
			won = i
		case !errors.Is(err, manager.ErrConflict):
			tb.Errorf("writer %d: error %v, want ErrConflict", i, err)
		}
	}
	if won < 0 {
		tb.Fatalf("none of %d writers replaced revision 1", writers)
	}
	for _, store := range handles {
		stored(tb, store, write("a", 1, token(fmt.Sprint("writer ", won))))
	}
}

// Writers that load, add one and save, again after each conflict, lose nothing.
func increments(tb testing.TB, s *suite) { countUp(tb, s.handles(tb, 1)) }

// countUp lets writers count up together, each on one of the handles.
func countUp(tb testing.TB, handles []manager.Store) {
	const each, tries = 5, 10_000
	increment := func(store manager.Store) error {
		for range tries {
			got, err := store.Load(tb.Context(), []string{"a"})
			if err != nil {
				return fmt.Errorf("loading: %w", err)
			}
			next := token("a")
			next.Generation = got[0].Generation + 1
			err = store.Save(tb.Context(), []manager.Write{write("a", got[0].Revision, next)})[0]
			if err == nil || !errors.Is(err, manager.ErrConflict) {
				return err
			}
		}
		return fmt.Errorf("%d conflicts in a row", tries)
	}
	errs := make([]error, writers)
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			for range each {
				if err := increment(handles[i%len(handles)]); err != nil {
					errs[i] = err
					return
				}
			}
		})
	}
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			tb.Errorf("writer %d: %v", i, err)
		}
	}
	if got := load(tb, handles[0], "a")[0]; got.Generation != writers*each || got.Revision != writers*each {
		tb.Errorf("generation %d, revision %d after %d increments", got.Generation, got.Revision, writers*each)
	}
}

// Load and Scan beside a writer see whole snapshots, and never an older one
// after a newer.
func readersBesideWriter(tb testing.TB, s *suite) {
	store := s.open(tb)
	readBeside(tb, store, store)
}

// readBeside reads from one handle while it writes to another.
func readBeside(tb testing.TB, store, writer manager.Store) {
	const readers, writes = 4, 50
	mustSave(tb, writer, write("a", 0, token("1")))
	donec := make(chan struct{}) // closed when the writer is done
	read := func() error {
		var last uint64
		see := func(_ string, got manager.Snapshot) error {
			if want := fmt.Sprint(got.Revision); got.Token.AccessToken.Reveal() != want {
				return fmt.Errorf("revision %s with the token of revision %s", want, got.Token.AccessToken.Reveal())
			}
			if got.Revision < last {
				return fmt.Errorf("revision %d after revision %d", got.Revision, last)
			}
			last = got.Revision
			return nil
		}
		for done := false; !done; {
			select {
			case <-donec:
				done = true // and read once more
			default:
			}
			got, err := store.Load(tb.Context(), []string{"a"})
			if err == nil {
				err = see("a", got[0])
			}
			if err != nil {
				return fmt.Errorf("loading: %w", err)
			}
			if err := store.Scan(tb.Context(), see); err != nil {
				return fmt.Errorf("scanning: %w", err)
			}
		}
		return nil
	}
	errs := make([]error, readers)
	var wg sync.WaitGroup
	for i := range readers {
		wg.Go(func() { errs[i] = read() })
	}
	for revision := uint64(1); revision <= writes; revision++ {
		w := write("a", revision, token(fmt.Sprint(revision+1)))
		if err := save(tb, writer, w)[0]; err != nil {
			tb.Errorf("Save of revision %d: %v", revision+1, err)
			break
		}
	}
	close(donec)
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			tb.Errorf("reader %d: %v", i, err)
		}
	}
}
