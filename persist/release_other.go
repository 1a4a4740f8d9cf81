//go:build windows || plan9 || solaris || aix || android

package persist

import "os"

// release closes a file that bbolt cannot close any more, and its lock with it.
func release(f *os.File) error { return f.Close() }
