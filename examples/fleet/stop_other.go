//go:build !unix

package main

import "time"

// stop does nothing: this system cannot stop a process from outside.
func (w *worker) stop(time.Duration) error { return nil }
