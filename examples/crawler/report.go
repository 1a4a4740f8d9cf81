package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"
)

// runAndReport crawls, and prints how it goes and what came of it.
func (c *crawl) runAndReport(ctx context.Context, out io.Writer) {
	begun := time.Now()
	donec := make(chan struct{}) // closed when the crawl has ended
	var live sync.WaitGroup
	live.Go(func() { c.watch(out, begun, donec) })
	c.run(ctx)
	close(donec)
	live.Wait()
	c.summary(out, time.Since(begun))
}

// watch prints now and then how it goes: on a terminal one line over and over,
// elsewhere a line each.
func (c *crawl) watch(out io.Writer, begun time.Time, donec <-chan struct{}) {
	every, format := 2*time.Second, "%s\n"
	if isTerminal(out) {
		every, format = 100*time.Millisecond, "\r%-79s" // blanks wipe out what was longer
		defer fmt.Fprintf(out, "\r%79s\r", "")
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-donec:
			return
		case <-tick.C:
			fmt.Fprintf(out, format, c.line(time.Since(begun)))
		}
	}
}

func isTerminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func (c *crawl) line(elapsed time.Duration) string {
	t := &c.tally
	t.mu.Lock()
	defer t.mu.Unlock()
	return fmt.Sprintf("%3.0f s  %s requests, %s lost   %s 401s met, %d refreshes", elapsed.Seconds(),
		thousands(t.requests), thousands(t.answers.lost()), thousands(int(t.rejected.Load())), c.manager.Stats().Refreshes)
}

// summary is for when no worker is left.
func (c *crawl) summary(out io.Writer, took time.Duration) {
	t, stats, rejected := &c.tally, c.manager.Stats(), int(c.tally.rejected.Load())
	say := func(label string, n int, format string, args ...any) {
		fmt.Fprintf(out, "%-17s%10s  %s\n", label, thousands(n), fmt.Sprintf(format, args...))
	}
	fmt.Fprintln(out)
	say("requests", t.requests, "by %s workers in %.1f s", thousands(c.workers), took.Seconds())
	for _, status := range slices.Sorted(maps.Keys(t.answers)) {
		if status == 0 {
			say("without answer", t.answers[0], "")
			continue
		}
		say(fmt.Sprint("answered ", status), t.answers[status], "%s", http.StatusText(status))
	}
	say("401s met", rejected, "%s of them replayed with a new token", thousands(int(t.replayed.Load())))
	say("refreshes", int(stats.Refreshes), "one per 401 and caller would have been %s", thousands(rejected))
	say("failed refreshes", int(stats.RefreshFailures), "")
	say("longest wait", int(t.longestWait.Milliseconds()), "ms for a token")
	for _, trouble := range t.troubles {
		fmt.Fprintln(out, "  "+trouble)
	}
}

// thousands writes 1234567 as 1,234,567.
func thousands(n int) string {
	if n < 1000 {
		return strconv.Itoa(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}
