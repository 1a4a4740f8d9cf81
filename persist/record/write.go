package record

import (
	"fmt"

	"example.com/tokenactor/manager"
)

// MaxName is the length of the longest name in bytes, 32,768. It is bbolt's
// limit; the other stores keep to it so that what works with one works with all.
const MaxName = 32768

// CheckName says what is wrong with a credential's name, whatever the store: it
// has 1 to MaxName bytes, any bytes.
func CheckName(name string) error {
	if len(name) == 0 || len(name) > MaxName {
		return fmt.Errorf("a name of %d bytes: give it 1 to %d", len(name), MaxName)
	}
	return nil
}

// CheckWrite says what is wrong with a write, whatever the store holds: its name,
// or a revision that does not follow the one it expects, from which on
// compare-and-swap would go wrong. The error is a *manager.NameError.
func CheckWrite(w *manager.Write) error {
	err := CheckName(w.Name)
	if err == nil && w.Snapshot.Revision != w.Expect+1 {
		err = fmt.Errorf("revision %d cannot replace %d: it must be one more", w.Snapshot.Revision, w.Expect)
	}
	if err != nil {
		return &manager.NameError{Name: w.Name, Err: err}
	}
	return nil
}
