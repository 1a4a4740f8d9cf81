package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"example.com/tokenactor/bench/number"
)

// A progress tells the one who waits how far the run has come: by a bar on a
// terminal, by a line for each table elsewhere. It is drawn between runs by the
// goroutine that measures, never during one.
type progress struct {
	w     io.Writer
	bar   *progressbar.ProgressBar // nil: no terminal
	plans int
	begun int
}

func newProgress(w io.Writer, plans []plan) *progress {
	p := &progress{w: w, plans: len(plans)}
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return p
	}
	steps := 0
	for i := range plans {
		steps += plans[i].steps()
	}
	p.bar = progressbar.NewOptions(steps,
		progressbar.OptionSetWriter(w),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionSetPredictTime(false), // runs differ too much
		progressbar.OptionSetWidth(30),
		progressbar.OptionClearOnFinish(),
	)
	return p
}

// begin says what is measured next.
func (p *progress) begin(pl plan) {
	p.begun++
	title := pl.scene.Name + ", " + number.Plural(pl.callers, pl.scene.Noun)
	if p.bar != nil {
		p.bar.Describe(title)
		return
	}
	fmt.Fprintf(p.w, "%d of %d: %s\n", p.begun, p.plans, title)
}

// step says that a run has ended. A terminal that is gone is no reason to stop.
func (p *progress) step() {
	if p.bar != nil {
		_ = p.bar.Add(1)
	}
}

// clear makes room for other lines on the same terminal.
func (p *progress) clear() {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
}
