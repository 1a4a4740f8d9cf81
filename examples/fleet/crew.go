package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync/atomic"
	"time"
)

// A worker is a process of the fleet, as its parent sees it.
type worker struct {
	cmd   *exec.Cmd
	stdin io.Closer
	donec chan struct{} // closed when its last report is read and it has ended
	err   error         // how it ended; after donec
	dead  atomic.Bool   // it was killed
}

// startWorker starts this program again, as a worker.
func startWorker(o orders, t *tally) (*worker, error) {
	text, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), workerVariable+"="+string(text))
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	w := &worker{cmd: cmd, stdin: stdin, donec: make(chan struct{})}
	go func() {
		defer close(w.donec)
		reports := json.NewDecoder(stdout)
		for {
			var r report
			if err := reports.Decode(&r); err != nil {
				break // its end; a killed one may end in the middle of a line
			}
			t.take(w, r)
		}
		_, _ = io.Copy(io.Discard, stdout)
		w.err = cmd.Wait()
	}()
	return w, nil
}

func (w *worker) ended() bool {
	select {
	case <-w.donec:
		return true
	default:
		return false
	}
}

// kill ends the process as kill -9 does, and waits until nothing of it is left.
func (w *worker) kill() {
	w.dead.Store(true)
	_ = w.cmd.Process.Kill()
	<-w.donec
	_ = w.stdin.Close()
}

// dismiss asks the process to finish, and waits for it.
func (w *worker) dismiss() error {
	_ = w.stdin.Close()
	select {
	case <-w.donec:
	case <-time.After(time.Minute):
		w.kill()
		return errors.New("a worker did not end within a minute and was killed")
	}
	if w.err != nil && !w.dead.Load() {
		return fmt.Errorf("a worker ended by itself: %w", w.err)
	}
	return nil
}
