//go:build !unix

package scene

import "time"

// cpuTime is unknown here: 0, which no process that has run has had.
func cpuTime() time.Duration { return 0 }
