package persist

import (
	"fmt"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist/record"
)

// admit says whether w may replace what has revision. Its caller holds whatever
// keeps others from writing meanwhile.
func admit(w *manager.Write, revision uint64) error {
	if err := checkName(w.Name); err != nil {
		return &manager.NameError{Name: w.Name, Err: err}
	}
	if w.Lease != nil {
		select {
		case <-w.Lease.Lost():
			return manager.ErrLeaseLost
		default:
		}
	}
	if revision != w.Expect {
		return manager.ErrConflict
	}
	if w.Snapshot.Revision != w.Expect+1 { // compare-and-swap would go wrong from here on
		return &manager.NameError{Name: w.Name, Err: fmt.Errorf(
			"persist: revision %d cannot replace %d: it must be one more", w.Snapshot.Revision, w.Expect)}
	}
	return nil
}

// admitOver says whether w may replace stored, a record; nil: none.
func admitOver(sealer *record.Sealer, w *manager.Write, stored []byte) error {
	if stored == nil {
		return admit(w, 0)
	}
	// The whole record is read for its revision: a damaged one must not pass
	// for an old one, and the checksum tells only of the whole.
	s, err := sealer.Decode(w.Name, stored)
	if err != nil {
		return &manager.NameError{Name: w.Name, Err: err}
	}
	return admit(w, s.Revision)
}

// fill gives each write that has no error of its own err.
func fill(errs []error, err error) []error {
	for i := range errs {
		if errs[i] == nil {
			errs[i] = err
		}
	}
	return errs
}
