//go:build plan9 || solaris || aix || android || js || wasip1

package persist

import "errors"

const canShare = false

func (lockFile) try(bool) (bool, error) { return false, errors.ErrUnsupported }
func (lockFile) free() error            { return nil }
func nap()                              {}
