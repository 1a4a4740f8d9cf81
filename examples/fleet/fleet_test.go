//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"example.com/tokenactor/internal/enginetest"
)

// duration is how long each fleet crawls: a minute in CI.
var duration = flag.Duration("duration", 8*time.Second, "how long each fleet crawls")

func TestMain(m *testing.M) {
	if part := os.Getenv(workerVariable); part != "" {
		if err := work(part, os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// crawl runs a fleet of 8 processes with 4 clients each, and trouble for engines that
// have nodes to lose.
func crawl(t *testing.T, store string, trouble func(stop <-chan struct{})) {
	t.Helper()
	args := []string{"-json", "-duration", duration.String()}
	if store != "" {
		args = append(args, "-store", store)
	}
	stopc, donec := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(donec)
		if trouble != nil {
			trouble(stopc)
		}
	}()
	var out, stderr bytes.Buffer
	status := run(t.Context(), args, &out, &stderr)
	close(stopc)
	<-donec
	var r result
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("status %d, stderr %q: %v", status, stderr.String(), err)
	}
	var text bytes.Buffer
	r.print(&text)
	t.Logf("\n%s", text.String())
	if status != 0 || r.Lost > 0 || r.Revoked > 0 {
		t.Errorf("status %d, %d requests lost, %d living logins revoked, want 0", status, r.Lost, r.Revoked)
	}
	if r.Requests == 0 || r.Refreshes == 0 {
		t.Errorf("%d requests and %d refreshes: the fleet did nothing", r.Requests, r.Refreshes)
	}
	if r.Needless > 0 {
		t.Errorf("%d refreshes of tokens that were not due", r.Needless)
	}
}

func TestFile(t *testing.T) {
	t.Parallel()
	crawl(t, "", nil)
}

func TestRedis(t *testing.T) {
	t.Parallel()
	addr, server := enginetest.Redis(t)
	crawl(t, "redis://"+addr, func(stop <-chan struct{}) { upsetServer(stop, server) })
}

func TestPostgres(t *testing.T) {
	t.Parallel()
	url, server := enginetest.Postgres(t)
	crawl(t, url, func(stop <-chan struct{}) { upsetServer(stop, server) })
}

func TestEtcd(t *testing.T) {
	t.Parallel()
	endpoints, servers := enginetest.Etcd(t, 3)
	where := "etcd://"
	for i, endpoint := range endpoints {
		if i > 0 {
			where += ","
		}
		where += endpoint[len("http://"):]
	}
	crawl(t, where, func(stop <-chan struct{}) { upsetServer(stop, servers[0]) })
}

// upsetServer stops a server for a while, and then kills it and starts it again.
func upsetServer(stop <-chan struct{}, server *enginetest.Process) {
	wait := func(d time.Duration) bool {
		select {
		case <-time.After(d):
			return true
		case <-stop:
			return false
		}
	}
	for wait(*duration / 6) {
		server.Stop()
		more := wait(time.Second)
		server.Continue()
		if !more || !wait(*duration/6) {
			return
		}
		server.Restart()
	}
}
