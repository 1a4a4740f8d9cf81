package persist

import (
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist/record"
)

// What Open and the methods of DB answer, for errors.Is. Each comes in an error
// that names the file.
var (
	// ErrLocked: the file is open in another process, or in this one already.
	ErrLocked = errors.New("persist: file is locked")

	// ErrDamaged: the file is no whole store, or no store of this package at
	// all. Nothing in it was changed.
	ErrDamaged = errors.New("persist: file is damaged")

	// ErrNewer: a later version of this package wrote the file.
	ErrNewer = errors.New("persist: file was written by a newer version of tokenactor")
)

// MaxName is record.MaxName: the length of the longest name in bytes, 32,768.
const MaxName = record.MaxName

var _ [bbolt.MaxKeySize - MaxName]struct{} // it is no more than bbolt takes

func checkName(name string) error {
	if err := record.CheckName(name); err != nil {
		return fmt.Errorf("persist: %w", err)
	}
	return nil
}

// damages gathers the errors of single names, which do not end a Load or a Scan.
type damages []error

func (d *damages) add(name string, err error) {
	*d = append(*d, &manager.NameError{Name: name, Err: err})
}

// join returns err, which ended the call, together with what was gathered.
func (d damages) join(err error) error {
	if len(d) == 0 {
		return err // as it is: a caller may compare it with what it returned itself
	}
	return errors.Join(append(d, err)...)
}
