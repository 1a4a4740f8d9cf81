//go:build unix

package persist_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"example.com/tokenactor/tokentest"
)

// limit of a refresh where the test has to wait it out.
const limit = time.Second

// holder lets one of siblings begin a refresh that fault holds up, and gives it
// apart from the others. When it returns, the server has the call.
func holder(t *testing.T, srv *tokentest.Server, all []*child, fault func(arrived chan<- struct{}) tokentest.Fault) (*child, []*child) {
	t.Helper()
	for i, line := range lines(t, all, "open") {
		if line != "open" {
			t.Fatalf("process %d: %s", i, line)
		}
	}
	arrivedc := make(chan struct{}, 1)
	srv.Next(fault(arrivedc))
	all[0].tell(t, "wait")
	select {
	case <-arrivedc:
	case <-time.After(30 * time.Second):
		t.Fatal("the first process sent no refresh")
	}
	return all[0], all[1:]
}

// arriving says on arrived that the call is there, and goes on with f.
func arriving(arrived chan<- struct{}, f tokentest.Fault) tokentest.Fault {
	return tokentest.Choose(func(tokentest.Call) tokentest.Fault {
		arrived <- struct{}{}
		return f
	})
}

// The holder of the lease is killed in mid-refresh, before the server has done
// the work: the lease is free, the next waits the quiet time, and the family lives.
func TestScenario14HolderKilled(t *testing.T) {
	srv, path := expired(t)
	first, others := holder(t, srv, siblings(t, 6, srv, path, limit), func(arrived chan<- struct{}) tokentest.Fault {
		return arriving(arrived, tokentest.Hang(nil))
	})
	killed := time.Now()
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	wantTokens(t, lines(t, others, "wait"))
	if waited := time.Since(killed); waited < limit {
		t.Errorf("the refresh token was sent again after %v, within the time limit of %v of the first", waited, limit)
	}
	wantServer(t, srv, 1)
}

// The same after the server has done the work: the new refresh token is gone with
// its answer. The guarded try finds that out, and all are told.
func TestScenario14HolderKilledAnswerLost(t *testing.T) {
	srv, path := expired(t)
	first, others := holder(t, srv, siblings(t, 6, srv, path, limit), func(arrived chan<- struct{}) tokentest.Fault {
		return arriving(arrived, tokentest.Late(time.Minute))
	})
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for i, line := range lines(t, others, "wait") {
		if !strings.HasPrefix(line, "error ") || !strings.Contains(line, "the answer to") {
			t.Errorf("process %d: %q, want the error of a lost answer", i, line)
		}
	}
	if got := srv.Stats(); got.TokenCalls != 2 || got.Refreshes != 1 {
		t.Errorf("%d calls, %d refreshes, want one of each and one guarded try in all", got.TokenCalls, got.Refreshes)
	}
}

// The holder of the lease is stopped in mid-refresh: its siblings say who keeps
// them waiting. When it goes on, all have a token.
func TestScenario14HolderStopped(t *testing.T) {
	srv, path := expired(t)
	first, others := holder(t, srv, siblings(t, 6, srv, path, limit), func(arrived chan<- struct{}) tokentest.Fault {
		return arriving(arrived, tokentest.Hang(nil))
	})
	if err := first.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("process %d on ", first.Process.Pid)
	for i, line := range lines(t, others, "token") {
		if !strings.HasPrefix(line, "error ") || !strings.Contains(line, want) || !strings.Contains(line, "stopped?") {
			t.Errorf("process %d: %q, want an error that names %q", i, line, want)
		}
	}
	wantServer(t, srv, 0)
	if err := first.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	got := lines(t, others, "wait")
	wantTokens(t, append(got, first.line(t)))
	wantServer(t, srv, 1)
}

// A process that is stopped while it has the file itself: the others' errors name
// it, and go on when it does.
func TestFileHolderStopped(t *testing.T) {
	path := openedFile(t)
	c := startChild(t, "in session", path)
	if got := c.line(t); got != "in session" {
		t.Fatal(got)
	}
	if err := c.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	wantHolder(t, path, c.Process.Pid)
	if err := c.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	c.tell(t, "end")
	openShared(t, path)
}
