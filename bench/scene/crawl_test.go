package scene

import (
	"net/http"
	"os"
	"sync/atomic"
	"testing"
	"time"
)

// All runs of a stage send equally many requests, over connections that stay.
func TestCrawlSendsEquallyMany(t *testing.T) {
	const workers = 3
	stage, err := Crawl.Open(t.Context(), workers)
	if err != nil {
		t.Fatal(err)
	}
	var counts []int32
	for range 3 {
		var sent atomic.Int32
		counting := decorator(func(base http.RoundTripper) http.RoundTripper {
			return roundTripper(func(req *http.Request) (*http.Response, error) {
				sent.Add(1)
				return base.RoundTrip(req)
			})
		})
		counting.Yardstick = true
		if _, err := stage.Run(t.Context(), counting, time.Millisecond); err != nil {
			t.Fatal(err)
		}
		counts = append(counts, sent.Load())
	}
	if counts[1] != counts[2] || counts[1] <= workers {
		t.Errorf("later runs sent %d and %d requests, want equally many, and more than to get warm", counts[1], counts[2])
	}
	if err := stage.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// The server is another process, which ends when it is told to.
func TestServerIsAProcessOfItsOwn(t *testing.T) {
	s, err := startServer()
	if err != nil {
		t.Fatal(err)
	}
	if pid := s.cmd.Process.Pid; pid == os.Getpid() {
		t.Errorf("the server has the test's own process id %d", pid)
	}
	if err := get(t.Context(), http.DefaultClient, s.url); err != nil {
		t.Error(err)
	}
	http.DefaultClient.CloseIdleConnections()
	if err := s.stop(); err != nil {
		t.Errorf("stopping: %v", err)
	}
	if err := get(t.Context(), http.DefaultClient, s.url); err == nil {
		t.Error("the server answers after its end")
	}
}
