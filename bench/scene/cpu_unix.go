//go:build unix

package scene

import (
	"syscall"
	"time"
)

// cpuTime is what this process has had of the processors: its own code and the
// kernel's for it, without its children.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic("scene: getrusage: " + err.Error()) // it fails for wrong arguments only
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
