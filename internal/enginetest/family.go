//go:build unix

package enginetest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// signal sends to the process and to those that it has started: a PostgreSQL works in
// children, each in a session of its own, which neither stop with it nor die at once.
func (p *Process) signal(s syscall.Signal) {
	first := syscall.SIGSTOP // so that it starts no more
	if s == syscall.SIGCONT {
		first = s
	}
	if p.cmd.Process.Signal(first) != nil {
		return // it has ended, and its number may be another's
	}
	for _, pid := range append(children(p.cmd.Process.Pid), p.cmd.Process.Pid) {
		_ = syscall.Kill(pid, s)
	}
}

// children gives the processes whose parent is pid. It finds none where there is no
// /proc.
func children(parent int) (pids []int) {
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		text, _ := os.ReadFile(file)
		_, rest, _ := strings.Cut(string(text), ") ") // behind the name, which may have anything
		var state string
		var of, pid int
		if _, err := fmt.Sscan(rest, &state, &of); err != nil || of != parent {
			continue
		}
		if _, err := fmt.Sscan(string(text), &pid); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
