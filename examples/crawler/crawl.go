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
	client     *http.Client
	manager    *manager.Manager // for its Stats
	credential *manager.Credential
	list       []string
	next       atomic.Int64 // index into list, counted on over all rounds
	tally      tally
}

// grace is how long requests under way have after Ctrl-C.
const grace = 2 * time.Second

// work crawls until ctx ends or the list is done; with a duration it begins the list
// again until that is over. Requests under way at the end are finished, if they can be
// within the grace.
func (c *crawl) work(ctx context.Context) {
	requests, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(grace, cut) })()
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
				c.fetch(requests, i%len(c.list))
			}
		})
	}
	workers.Wait()
}

// fetch gets one page. It need not know that there are tokens.
func (c *crawl) fetch(ctx context.Context, i int) {
	url := c.list[i]
	if c.duration > 0 {
		i = -1 // it is begun again anyway
	}
	status, words := 0, ""
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err == nil {
		var resp *http.Response
		if resp, err = c.client.Do(req); err == nil {
			status, words = resp.StatusCode, resp.Status+": "+url
			_, err = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
	}
	switch {
	case err != nil && ctx.Err() != nil:
		c.tally.cutOff(i)
	case err != nil:
		c.tally.count(i, 0, err.Error())
	default:
		c.tally.count(i, status, words)
	}
}

// A tally counts what happens to a crawl.
type tally struct {
	rejected, replayed atomic.Int64 // 401s met; of these, followed by a replay

	mu          sync.Mutex
	requests    int
	answers     [1000]int // requests by the status of their answer; 0: without one
	cut         int       // by Ctrl-C
	unfetched   []int     // which of the list, where it is crawled once
	troubles    []string  // the first few, in words
	longestWait time.Duration
}

func (t *tally) count(i, status int, words string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.requests++
	t.answers[status]++
	if status < 200 || status > 299 {
		if len(t.troubles) < 5 {
			t.troubles = append(t.troubles, words)
		}
		if unfetched(status) && i >= 0 {
			t.unfetched = append(t.unfetched, i)
		}
	}
}

// cutOff counts a request that Ctrl-C ended.
func (t *tally) cutOff(i int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cut++
	if i >= 0 {
		t.unfetched = append(t.unfetched, i)
	}
}

// unfetched reports whether a page with that answer is to be fetched again. 0: none.
func unfetched(status int) bool {
	return status == 0 || status == http.StatusUnauthorized || status == http.StatusTooManyRequests || status >= 500
}

// lost is how many requests brought no page for want of a token, a connection or a server.
func (t *tally) lost() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	lost := 0
	for status, n := range t.answers {
		if unfetched(status) {
			lost += n
		}
	}
	return lost
}

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
