package persist

import (
	"fmt"

	"example.com/tokenactor/manager"
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

// fill gives each write that has no error of its own err.
func fill(errs []error, err error) []error {
	for i := range errs {
		if errs[i] == nil {
			errs[i] = err
		}
	}
	return errs
}
