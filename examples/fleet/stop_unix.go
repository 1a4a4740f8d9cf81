//go:build unix

package main

import (
	"syscall"
	"time"
)

// stop freezes the process for d, as a machine without memory or a debugger does.
func (w *worker) stop(d time.Duration) error {
	if w.ended() {
		return nil
	}
	if err := w.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	time.AfterFunc(d, func() { _ = w.cmd.Process.Signal(syscall.SIGCONT) })
	return nil
}
