package main

import (
	"context"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"example.com/tokenactor/manager"
)

// A crawl fetches the URLs of a list with many workers.
type crawl struct {
	options
	client  *http.Client
	manager *manager.Manager // for its Stats
	list    []string
	next    atomic.Int64 // index into list, counted on over all rounds
	tally   tally
}

// work crawls until ctx ends or the list is done; with a duration it begins the list
// again until that is over. Requests under way at the end are finished.
func (c *crawl) work(ctx context.Context) {
	if c.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.duration)
		defer cancel()
	}
	var workers sync.WaitGroup
	for range c.workers {
		workers.Go(func() {
			for ctx.Err() == nil {
				i := int(c.next.Add(1) - 1)
				if i >= len(c.list) && c.duration == 0 {
					return
				}
				c.fetch(c.list[i%len(c.list)])
			}
		})
	}
	workers.Wait()
}

// fetch gets one page. It need not know that there are tokens.
func (c *crawl) fetch(url string) {
	resp, err := c.client.Get(url)
	if err != nil {
		c.tally.count(0, err.Error())
		return
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		c.tally.count(0, url+": "+err.Error())
		return
	}
	c.tally.count(resp.StatusCode, resp.Status+": "+url)
}

// A tally counts what happens to a crawl.
type tally struct {
	rejected, replayed atomic.Int64 // 401s met; of these, followed by a replay

	mu          sync.Mutex
	requests    int
	answers     [1000]int // requests by the status of their answer; 0: without one
	troubles    []string  // the first few, in words
	longestWait time.Duration
}

func (t *tally) count(status int, words string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.requests++
	t.answers[status]++
	if (status < 200 || status > 299) && len(t.troubles) < 5 {
		t.troubles = append(t.troubles, words)
	}
}

// lost is how many requests a rejected token or a broken connection ended.
func (t *tally) lost() int { return t.answers[0] + t.answers[http.StatusUnauthorized] }

func (t *tally) waited(since time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.longestWait = max(t.longestWait, time.Since(since))
}

// A meter is the credential as the workers see it, with a tally of what they ask.
type meter struct {
	*manager.Credential
	tally *tally
}

func (m *meter) Token(ctx context.Context) (*manager.Token, error) {
	defer m.tally.waited(time.Now())
	return m.Credential.Token(ctx)
}

func (m *meter) Renew(ctx context.Context, rejected *manager.Token) (*manager.Token, error) {
	defer m.tally.waited(time.Now())
	m.tally.rejected.Add(1)
	token, err := m.Credential.Renew(ctx, rejected)
	if err == nil {
		m.tally.replayed.Add(1)
	}
	return token, err
}
