package scene

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"example.com/tokenactor/bench/contender"
)

// Crawl is what tokens cost where there is a network, if a short one: the bare
// client is the row harness. The server is a process of its own, so that this
// process's time is the client's alone. All contenders send over the same open
// connections, one for each worker. Requests per second depend on the server too,
// which has its part of the same processors.
var Crawl = Scene{
	Name:    "crawl",
	About:   "GET over loopback by so many workers at once: the client's CPU time, and the requests per second",
	Metrics: []Metric{{"cpu_us/request", "µs"}, {"requests/s", "requests/s"}},
	Callers: []int{64, 1000},
	Least:   1,
	Noun:    "worker",
	Longer:  5,
	Open: func(ctx context.Context, workers int) (*Stage, error) {
		if cpuTime() == 0 {
			return nil, errors.New("this system does not tell the CPU time of a process; pick other scenes with -scene")
		}
		server, err := startServer()
		if err != nil {
			return nil, err
		}
		pool := &http.Transport{MaxIdleConnsPerHost: workers}
		return &Stage{
			Goroutines: workers,
			Run: func(ctx context.Context, c contender.Contender, d time.Duration) (Sample, error) {
				return crawl(ctx, c, server.url, pool, workers, d)
			},
			Close: func() error {
				pool.CloseIdleConnections()
				return server.stop()
			},
		}, nil
	},
}

func crawl(ctx context.Context, c contender.Contender, url string, pool *http.Transport, workers int, d time.Duration) (Sample, error) {
	subject, err := open(c, accessToken)
	if err != nil {
		return nil, err
	}
	rt, err := subject.transport(pool)
	client := &http.Client{Transport: rt}
	if err == nil && !c.Yardstick {
		err = get(ctx, client, url+private)
	}
	if err != nil {
		return nil, errors.Join(err, subject.close())
	}
	warm := func() { _ = get(ctx, client, url) } // an error comes again in the work
	s, err := fill(workers, d, func(n int) *Crew {
		return NewCrew(workers, warm, func(worker int) error {
			for range share(n, workers, worker) {
				if err := get(ctx, client, url); err != nil {
					return err
				}
			}
			return nil
		})
	})
	return Sample{
		"cpu_us/request": s.perCall(s.cpu, time.Microsecond),
		"requests/s":     float64(s.calls) / s.wall.Seconds(),
	}, errors.Join(err, subject.close())
}

// get reads a page to its end.
func get(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	if resp.StatusCode != http.StatusOK {
		err = errors.Join(err, fmt.Errorf("the status is %s, want 200", resp.Status))
	}
	return errors.Join(err, resp.Body.Close())
}
