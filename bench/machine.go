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
	fmt.Fprintf(w, "%s\n%s\n\n", machine(), size(&o))
	version := versions()
	for _, c := range o.contenders {
		fmt.Fprintf(w, "%-22s  %s", c.Name, c.About)
		if v := version[c.Module]; v != "" {
			fmt.Fprintf(w, " (%s)", v)
		}
		fmt.Fprintln(w)
	}
}

// machine gives it in one line.
func machine() string {
	return fmt.Sprintf("%s, %d procs, %s/%s, %s", processor(), runtime.GOMAXPROCS(0), runtime.GOOS, runtime.GOARCH, runtime.Version())
}

// size says how long is measured.
func size(o *options) string {
	s := fmt.Sprintf("medians over rounds; what lasts as long as it is told lasts %v", o.duration)
	for _, scene := range o.scenes {
		if scene.Longer > 1 {
			s += fmt.Sprintf(", %s %v", scene.Name, o.duration*time.Duration(scene.Longer))
		}
	}
	return s
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
