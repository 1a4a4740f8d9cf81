package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// writeMachine says what the numbers come from: the machine, the versions, the
// size of the run.
func writeMachine(w io.Writer, o options) {
	fmt.Fprintf(w, "%s, %d procs, %s/%s, %s\n", processor(), runtime.GOMAXPROCS(0), runtime.GOOS, runtime.GOARCH, runtime.Version())
	fmt.Fprintf(w, "medians of %s; a run lasts %v", plural(o.count, "round"), o.duration)
	for _, s := range o.scenes {
		if s.Longer > 1 {
			fmt.Fprintf(w, ", of %s %v", s.Name, o.duration*time.Duration(s.Longer))
		}
	}
	fmt.Fprint(w, "\n\n")
	version := versions()
	for _, c := range o.contenders {
		fmt.Fprintf(w, "%-12s  %s", c.Name, c.About)
		if v := version[c.Module]; v != "" {
			fmt.Fprintf(w, " (%s)", v)
		}
		fmt.Fprintln(w)
	}
}

// versions gives those of the modules built in. That of a module beside this one
// says nothing, and is left out.
func versions() map[string]string {
	version := make(map[string]string)
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return version
	}
	for _, m := range info.Deps {
		if m.Replace == nil {
			version[m.Path] = m.Version
		}
	}
	return version
}

// processor gives the name of the first, where the system tells.
func processor() string {
	b, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(b)) {
		if key, name, _ := strings.Cut(line, ":"); strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(name)
		}
	}
	return "unknown processor"
}
