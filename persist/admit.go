package persist

import (
	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist/record"
)

// admit says whether w may replace what has revision. Its caller holds whatever
// keeps others from writing meanwhile.
func admit(w *manager.Write, revision uint64) error {
	if err := record.CheckWrite(w); err != nil {
		return err
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
