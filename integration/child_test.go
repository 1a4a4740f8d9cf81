package integration

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/oauth"
	"example.com/tokenactor/persist"
	"golang.org/x/oauth2"
)

// childVariable holds, in the environment of a child, what it is to do: an order.
const childVariable = "TOKENACTOR_INTEGRATION_CHILD"

// An order is a program for a child process: a hundred callers, one login in a file.
type order struct {
	Path, ClientID, TokenURL string
	Limit                    time.Duration // of a refresh
	Shared                   bool          // other children use the file at the same time
}

// A report is a line of the child's: an event, or what a caller was told at the end.
type report struct {
	Event  manager.EventKind `json:",omitempty"`
	Caller string            `json:",omitempty"` // the error that a caller got
	Login  bool              `json:",omitempty"` // it says that a login is required
	Lost   bool              `json:",omitempty"` // ... because an answer of our own was lost
}

// child carries an order out, until its standard input ends; false: there is none.
func child(text string) bool {
	if text == "" {
		return false
	}
	var o order
	var mu sync.Mutex
	say := func(r report) {
		mu.Lock()
		defer mu.Unlock()
		_ = json.NewEncoder(os.Stdout).Encode(r)
	}
	if err := errors.Join(json.Unmarshal([]byte(text), &o), o.run(say)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return true
}

func (o order) run(say func(report)) error {
	db, err := persist.Open(o.Path, persist.Options{Shared: o.Shared})
	if err != nil {
		return err
	}
	m, err := manager.New(manager.Config{
		Store:   db,
		Logger:  slog.New(slog.DiscardHandler),
		OnEvent: func(e manager.Event) { say(report{Event: e.Kind}) },
	})
	if err != nil {
		return err
	}
	cfg := oauth2.Config{ClientID: o.ClientID, Endpoint: oauth2.Endpoint{TokenURL: o.TokenURL}}
	user := m.Manage("user", oauth.RefreshToken(cfg), manager.Policy{Limit: o.Limit, Patience: -1})
	var group sync.WaitGroup
	for range callers {
		group.Go(func() {
			for {
				_, err := user.Token(context.Background())
				if errors.Is(err, manager.ErrClosed) {
					return
				}
				if err != nil {
					failed, _ := errors.AsType[*manager.RefreshError](err)
					say(report{Caller: err.Error(), Login: errors.Is(err, manager.ErrLoginRequired), Lost: failed != nil && failed.Lost})
					return
				}
				time.Sleep(100 * time.Millisecond)
			}
		})
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
	err = m.Close()
	group.Wait()
	return errors.Join(err, db.Close())
}

// A program is a child that runs.
type program struct {
	cmd     *exec.Cmd
	in      io.Closer
	reports chan report // closed when the child has ended
}

func startProgram(t *testing.T, o order) *program {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+string(text))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &program{cmd: cmd, in: in, reports: make(chan report)}
	leftc := make(chan struct{}) // closed when nobody listens any more
	go func() {
		defer close(p.reports)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var r report
			if json.Unmarshal(lines.Bytes(), &r) != nil {
				continue // a line that the kill cut short
			}
			select {
			case p.reports <- r:
			case <-leftc:
			}
		}
	}()
	t.Cleanup(func() {
		close(leftc)
		p.kill()
	})
	return p
}

// kill ends the child as kill -9 does.
func (p *program) kill() {
	_ = p.cmd.Process.Kill()
	for range p.reports { // until the pipe is read out
	}
	_ = p.cmd.Wait()
}

// stop lets the child end in peace, and says what it reported against that.
func (p *program) stop(t *testing.T) {
	t.Helper()
	_ = p.in.Close()
	for r := range p.reports {
		if r.Caller != "" {
			t.Errorf("a caller got %q", r.Caller)
		}
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("the child: %v", err)
	}
}

// next gives the child's next report that f accepts.
func (p *program) next(t *testing.T, what string, f func(report) bool) report {
	t.Helper()
	deadline := time.After(limit)
	for {
		select {
		case r, ok := <-p.reports:
			if !ok {
				t.Fatalf("the child ended before it reported %s", what)
			}
			if f(r) {
				return r
			}
			if r.Caller != "" {
				t.Fatalf("a caller got %q before the child reported %s", r.Caller, what)
			}
		case <-deadline:
			t.Fatalf("the child did not report %s", what)
		}
	}
}

// refreshed waits for a refresh whose answer is stored.
func (p *program) refreshed(t *testing.T) {
	t.Helper()
	p.next(t, "a refresh", func(r report) bool { return r.Event == manager.EventRefreshed })
}
