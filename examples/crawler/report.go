package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"time"
)

// run crawls, prints now and then how it goes, on a terminal in one line over and over,
// and at the end what came of it.
func (c *crawl) run(ctx context.Context, out io.Writer) answers {
	begun := time.Now()
	donec := make(chan struct{}) // closed when the crawl has ended
	go func() {
		defer close(donec)
		c.work(ctx)
	}()
	every, format, end := 2*time.Second, "%s\n", "\n"
	if isTerminal(out) {
		every, format, end = 100*time.Millisecond, "\r%-79s", "\r%79s\r" // blanks wipe out the line before
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			fmt.Fprintf(out, format, c.line(time.Since(begun)))
		case <-donec:
			fmt.Fprint(out, end)
			c.summary(out, time.Since(begun))
			return c.tally.answers
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

// summary is for when all workers are done.
func (c *crawl) summary(out io.Writer, took time.Duration) {
	say := func(n int, format string, args ...any) {
		fmt.Fprintf(out, "%10s %s\n", thousands(n), fmt.Sprintf(format, args...))
	}
	t, stats, rejected := &c.tally, c.manager.Stats(), int(c.tally.rejected.Load())
	say(t.requests, "requests by %s workers in %.1f s", thousands(c.workers), took.Seconds())
	for _, status := range slices.Sorted(maps.Keys(t.answers)) {
		if status == 0 {
			say(t.answers[status], "without an answer")
		} else {
			say(t.answers[status], "answered %d %s", status, http.StatusText(status))
		}
	}
	say(rejected, "401s met, of which %s were replayed with a new token", thousands(int(t.replayed.Load())))
	say(int(stats.Refreshes), "refreshes; one for each 401 would have been %s", thousands(rejected))
	if stats.RefreshFailures > 0 {
		say(int(stats.RefreshFailures), "refreshes that failed")
	}
	say(int(t.longestWait.Milliseconds()), "ms was the longest wait for a token")
	for _, trouble := range t.troubles {
		fmt.Fprintln(out, " ", trouble)
	}
}

// thousands writes 1234567 as 1,234,567.
func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}
