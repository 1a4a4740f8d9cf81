package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"example.com/tokenactor/manager"
)

// run crawls, prints now and then how it goes, on a terminal in one line over and over,
// and at the end what came of it.
func (c *crawl) run(ctx context.Context, out io.Writer) {
	begun := time.Now()
	donec := make(chan struct{}) // closed when the crawl has ended
	go func() {
		defer close(donec)
		c.work(ctx)
	}()
	every, format, end := 2*time.Second, "%s\n", "\n"
	file, _ := out.(*os.File)
	if info, err := file.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		every, format, end = 100*time.Millisecond, "\r%s\x1b[K", "\r\x1b[K" // which erases the rest of the line
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	interruptc := ctx.Done()
	for {
		select {
		case <-interruptc:
			interruptc = nil
			fmt.Fprintf(out, end+"Ctrl-C: requests under way have %v; Ctrl-C again kills\n", grace)
		case <-tick.C:
			fmt.Fprintf(out, format, c.line(time.Since(begun)))
		case <-donec:
			fmt.Fprint(out, end)
			c.summary(out, time.Since(begun))
			return
		}
	}
}

func (c *crawl) line(elapsed time.Duration) string {
	t := &c.tally
	lost := t.lost()
	t.mu.Lock()
	requests := t.requests
	t.mu.Unlock()
	text := fmt.Sprintf("%3.0f s  %s requests, %s lost   %s 401s met, %d refreshes", elapsed.Seconds(),
		thousands(requests), thousands(lost), thousands(int(t.rejected.Load())), c.manager.Stats().Refreshes)
	if s := c.credential.Status(); s.Err != nil && s.State != manager.StateFresh && s.State != manager.StateDue {
		text += ", waiting for a token" + c.trouble()
	}
	return text
}

// summary is for when all workers are done.
func (c *crawl) summary(out io.Writer, took time.Duration) {
	t, stats, rejected := &c.tally, c.manager.Stats(), thousands(int(c.tally.rejected.Load()))
	fmt.Fprintf(out, "%10s requests by %s workers in %.1f s, %s lost\n", thousands(t.requests), thousands(c.workers), took.Seconds(), thousands(t.lost()))
	for status, n := range t.answers {
		if status > 0 && n > 0 {
			fmt.Fprintf(out, "%10s answered %d %s\n", thousands(n), status, http.StatusText(status))
		}
	}
	fmt.Fprintf(out, "%10s without an answer\n", thousands(t.answers[0]))
	if t.cut > 0 {
		fmt.Fprintf(out, "%10s cut off by Ctrl-C\n", thousands(t.cut))
	}
	fmt.Fprintf(out, "%10s 401s met with a rejected token, %s replayed with a new one\n", rejected, thousands(int(t.replayed.Load())))
	fmt.Fprintf(out, "%10d refreshes, %d failed; one for each 401 and caller would have been %s\n", stats.Refreshes, stats.RefreshFailures, rejected)
	fmt.Fprintf(out, "%7d ms longest wait for a token\n", t.longestWait.Milliseconds())
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
