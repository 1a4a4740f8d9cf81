package persisttest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"example.com/tokenactor/manager"
)

// A saving is one write of a history, by its text, and what became of it. Any error
// but ErrConflict leaves open whether it was stored.
type saving struct {
	text   string
	expect uint64
	err    error
}

// A reading is one snapshot that a Load gave. From a conflict its writer knows only
// that the revision is no longer what it was.
type reading struct {
	text     string
	revision uint64
	conflict bool
}

// A history is what happened to one name.
type history struct {
	savings  []saving
	readings [][]reading // of each writer, in its order
	last     reading     // when all was over
}

// check says what is wrong with h: it must be a chain, from revision 1 to the last, of
// which each link is one saving, and each reading a link. Savings answered without
// error are links, those with ErrConflict are none, and no writer reads what is older
// than what it knows.
func (h *history) check() (wrong []string) {
	links := make(map[uint64]string) // by the revision that they gave out
	of := make(map[string]saving)
	for _, s := range h.savings {
		of[s.text] = s
		if s.err != nil {
			continue
		}
		if other, twice := links[s.expect+1]; twice {
			wrong = append(wrong, fmt.Sprintf("revision %d was given out twice, to %q and to %q", s.expect+1, other, s.text))
		}
		links[s.expect+1] = s.text
	}
	see := func(r reading) {
		s, ok := of[r.text]
		switch other, known := links[r.revision]; {
		case r == reading{}: // before the first saving
		case !ok || s.expect+1 != r.revision:
			wrong = append(wrong, fmt.Sprintf("revision %d was read as %q: nobody wrote that", r.revision, r.text))
		case errors.Is(s.err, manager.ErrConflict):
			wrong = append(wrong, fmt.Sprintf("revision %d was read as %q, which was answered with ErrConflict", r.revision, r.text))
		case known && other != r.text:
			wrong = append(wrong, fmt.Sprintf("revision %d was read as %q, but it is %q", r.revision, r.text, other))
		default:
			links[r.revision] = r.text // if its saving ended with an error, this shows that it was stored
		}
	}
	see(h.last)
	for _, readings := range h.readings {
		before := uint64(0)
		for _, r := range readings {
			if r.revision < before {
				wrong = append(wrong, fmt.Sprintf("revision %d was read after revision %d", r.revision, before))
			}
			before = r.revision
			if !r.conflict {
				see(r)
			}
		}
	}
	for revision := range links {
		if revision > h.last.revision {
			wrong = append(wrong, fmt.Sprintf("revision %d, %q, is lost: the last is %d", revision, links[revision], h.last.revision))
		}
	}
	// What nobody answered for and nobody read, somebody of unknown fate wrote.
	for revision := uint64(1); revision <= h.last.revision; revision++ {
		if _, ok := links[revision]; !ok && !slices.ContainsFunc(h.savings, func(s saving) bool {
			return s.expect+1 == revision && s.err != nil && !errors.Is(s.err, manager.ErrConflict)
		}) {
			wrong = append(wrong, fmt.Sprintf("revision %d was given out to nobody", revision))
		}
	}
	return wrong
}

// Many who save a few names at once leave histories in which each name is a chain.
func histories(tb testing.TB, s *suite) { chains(tb, s.handles(tb, 1)) }

// The same on many handles.
func historiesOfHandles(tb testing.TB, s *suite) { chains(tb, s.handles(tb, handleCount)) }

// chains lets writers save names, in batches too, each on one of the handles, and at
// the revision that they, or somebody else just before, saw last.
func chains(tb testing.TB, handles []manager.Store) {
	const each = 20
	names := []string{"a", "b", "c"}
	all := make([]map[string]*history, writers) // the writers' own
	errs := make([]error, writers)
	var wg sync.WaitGroup
	for i := range writers {
		own := make(map[string]*history)
		for _, name := range names {
			own[name] = &history{readings: make([][]reading, 1)}
		}
		all[i] = own
		store := handles[i%len(handles)]
		wg.Go(func() {
			for n := range each {
				got, err := store.Load(tb.Context(), names)
				if err != nil || len(got) != len(names) {
					errs[i] = fmt.Errorf("loading gave %d snapshots and error %v", len(got), err)
					return
				}
				var writes []manager.Write
				for at, name := range names {
					h := own[name]
					h.readings[0] = append(h.readings[0], reading{text: got[at].Token.AccessToken.Reveal(), revision: got[at].Revision})
					if (i+n+at)%3 > 0 { // two of the three
						writes = append(writes, write(name, got[at].Revision, token(fmt.Sprintf("%d of writer %d", n, i))))
					}
				}
				answers := store.Save(tb.Context(), writes)
				if len(answers) != len(writes) {
					errs[i] = fmt.Errorf("saving %d writes gave %d errors", len(writes), len(answers))
					return
				}
				for at, w := range writes {
					h, text := own[w.Name], w.Snapshot.Token.AccessToken.Reveal()
					h.savings = append(h.savings, saving{text, w.Expect, answers[at]})
					switch {
					case answers[at] == nil:
						h.readings[0] = append(h.readings[0], reading{text: text, revision: w.Expect + 1})
					case errors.Is(answers[at], manager.ErrConflict):
						h.readings[0] = append(h.readings[0], reading{revision: w.Expect + 1, conflict: true})
					}
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
	for at, last := range load(tb, handles[0], names...) {
		h := history{last: reading{text: last.Token.AccessToken.Reveal(), revision: last.Revision}}
		stored := 0
		for _, own := range all {
			of := own[names[at]]
			h.savings = append(h.savings, of.savings...)
			h.readings = append(h.readings, of.readings...)
			for _, s := range of.savings {
				if s.err == nil {
					stored++
				}
			}
		}
		for _, wrong := range h.check() {
			tb.Errorf("%q: %s", names[at], wrong)
		}
		if stored == 0 {
			tb.Errorf("%q: none of %d savings was stored", names[at], len(h.savings))
		}
	}
}
