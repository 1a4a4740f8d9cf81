package scene

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"time"

	"example.com/tokenactor/bench/contender"
)

// Crawl is what tokens cost where there is a network, if a short one: the bare
// client is the row harness. The server is a process of its own, so that this
// process's time is the client's alone. All contenders send equally many requests,
// over the same open connections, one for each worker. Requests per second depend
// on the server too, which has its part of the same processors. With 1,000 workers
// and more, what the decorator adds is measured by itself: see added.
var Crawl = Scene{
	Name:  "crawl",
	About: "GET over loopback by so many workers at once: the client's CPU time, and the requests per second",
	Metrics: []Metric{
		{Name: "cpu_us/request", Unit: "µs"}, {Name: "requests/s", Unit: "requests/s", More: true}, {Name: "added_us/request", Unit: "µs"},
	},
	Ratio:   "cpu_us/request",
	Callers: []int{64, 1000},
	Quick:   []int{64},
	Least:   1,
	Noun:    "worker",
	Rounds:  3,
	Longer:  6,
	Open: func(_ context.Context, workers int) (*Stage, error) {
		if cpuTime() == 0 {
			return nil, errors.New("this system does not tell the CPU time of a process; pick other scenes with -scene")
		}
		server, err := startServer()
		if err != nil {
			return nil, err
		}
		f := &field{server: server, workers: workers, pool: &http.Transport{MaxIdleConnsPerHost: workers}}
		return &Stage{Goroutines: workers, Run: f.crawl, Close: f.close}, nil
	},
}

// A field is what is crawled.
type field struct {
	server  *server
	workers int
	pool    *http.Transport
	calls   int // how many requests a run sends; 0 until the first has found out
}

func (f *field) close() error {
	f.pool.CloseIdleConnections()
	return f.server.stop()
}

func (f *field) crawl(ctx context.Context, c contender.Contender, d time.Duration) (Sample, error) {
	subject, err := open(c, accessToken)
	if err != nil {
		return Sample{}, err
	}
	rt, err := subject.transport(f.pool)
	client := &http.Client{Transport: rt}
	if err == nil && !c.Yardstick {
		err = get(ctx, client, f.server.url+private)
	}
	if err != nil {
		return Sample{}, errors.Join(err, subject.close())
	}
	s, err := f.spend(d, func(n int) *Crew {
		warm := func() { _ = get(ctx, client, f.server.url) } // an error comes again in the work
		return NewCrew(f.workers, warm, func(worker int) error {
			for range share(n, f.workers, worker) {
				if err := get(ctx, client, f.server.url); err != nil {
					return err
				}
			}
			return nil
		})
	})
	v := map[string]float64{
		"cpu_us/request": s.perCall(s.cpu, time.Microsecond),
		"requests/s":     float64(s.calls) / s.wall.Seconds(),
	}
	if err == nil && f.workers >= addedFrom {
		v["added_us/request"], err = added(ctx, subject, d)
	}
	return values(v), errors.Join(err, subject.close())
}

func (f *field) spend(d time.Duration, crew func(calls int) *Crew) (spent, error) {
	if f.calls > 0 {
		runtime.GC()
		return spend(f.calls, crew(f.calls))
	}
	s, err := fill(f.workers, d, crew)
	f.calls = s.calls
	return s, err
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
