//go:build unix

package enginetest

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long an engine may take to come up, on a busy machine.
const patience = time.Minute

// A Process is an engine's, or that of one of its nodes.
type Process struct {
	tb    testing.TB
	path  string
	args  []string
	as    *syscall.Credential // nil: this user
	ready func() error
	cmd   *exec.Cmd
	donec chan struct{}
	mu    sync.Mutex
	log   bytes.Buffer
}

// find gives the path of a program. Debian has some outside of PATH.
func find(tb testing.TB, program, debianPackage string, places ...string) string {
	tb.Helper()
	if path, err := exec.LookPath(program); err == nil {
		return path
	}
	for _, pattern := range places {
		if found, _ := filepath.Glob(filepath.Join(pattern, program)); len(found) > 0 {
			return found[len(found)-1]
		}
	}
	reason := fmt.Sprintf("%s is not installed: apt-get install %s", program, debianPackage)
	if os.Getenv("CI") == "true" {
		tb.Fatal(reason)
	}
	tb.Skip(reason)
	return ""
}

// ports gives so many free ports.
func ports(tb testing.TB, n int) (free []int) {
	tb.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			tb.Fatal(err)
		}
		defer l.Close() // when all are found, so that they differ
		free = append(free, l.Addr().(*net.TCPAddr).Port)
	}
	return free
}

// start starts the process and waits until it is ready. It ends with the test.
func (p *Process) start() {
	p.tb.Helper()
	p.run()
	p.tb.Cleanup(func() {
		p.Kill()
		if p.tb.Failed() {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.tb.Logf("%s said:\n%s", filepath.Base(p.path), tail(p.log.String()))
		}
	})
}

func (p *Process) run() {
	p.tb.Helper()
	p.cmd = exec.Command(p.path, p.args...)
	p.cmd.Stdout, p.cmd.Stderr = p, p
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.as}
	if err := p.cmd.Start(); err != nil {
		p.tb.Fatal(err)
	}
	p.donec = make(chan struct{})
	go func(cmd *exec.Cmd, donec chan struct{}) {
		_ = cmd.Wait()
		close(donec)
	}(p.cmd, p.donec)
	if p.ready == nil {
		return
	}
	var err error
	for begun := time.Now(); time.Since(begun) < patience; time.Sleep(20 * time.Millisecond) {
		if err = p.ready(); err == nil {
			return
		}
		select {
		case <-p.donec:
			p.tb.Fatalf("%s ended before it was ready: %s", p.path, tail(p.log.String()))
		default:
		}
	}
	p.tb.Fatalf("%s is not ready: %v", p.path, err)
}

// Write takes what the process prints.
func (p *Process) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(text)
}

func tail(s string) string { return s[max(0, len(s)-2000):] }

// Stop freezes the process, Continue lets it go on.
func (p *Process) Stop()     { p.signal(syscall.SIGSTOP) }
func (p *Process) Continue() { p.signal(syscall.SIGCONT) }

// Kill ends the process as kill -9 does, and waits for its end.
func (p *Process) Kill() {
	p.signal(syscall.SIGKILL)
	<-p.donec
}

// Restart starts the process again, on the same port and with the same data.
func (p *Process) Restart() {
	p.tb.Helper()
	p.Kill()
	p.run()
}

func dialed(port int) (net.Conn, error) {
	c, err := net.DialTimeout("tcp", address(port), time.Second)
	if err == nil {
		err = c.SetDeadline(time.Now().Add(time.Second))
	}
	return c, err
}

func address(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
