package scene

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
)

// serverVar tells a process of this program that it is the server of the scene
// crawl.
const serverVar = "TOKENACTOR_BENCH_SERVER"

// private is the page that wants the token; all others do not look at it.
const private = "/private"

// Serve is the server of the scene crawl, in the process that was started to be
// that, and does not return there. Elsewhere it does nothing. Whoever runs the
// scene calls it first thing in main or TestMain.
func Serve() {
	if os.Getenv(serverVar) == "" {
		return
	}
	signal.Ignore(os.Interrupt) // which reaches all of a terminal; the other process ends this one
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench: the server of crawl:", err)
		os.Exit(1)
	}
	fmt.Println("http://" + l.Addr().String())
	go func() { _ = http.Serve(l, http.HandlerFunc(answer)) }()
	_, _ = io.Copy(io.Discard, os.Stdin) // ends when the other process closes it, or is gone
	os.Exit(0)
}

func answer(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == private && r.Header.Get("Authorization") != "Bearer "+accessToken {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	_, _ = io.WriteString(w, page)
}

const page = `{"id": 1, "total": "12.50", "currency": "EUR"}`

// A server is such a process.
type server struct {
	url   string
	cmd   *exec.Cmd
	stdin io.Closer
}

func startServer() (*server, error) {
	file, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(file)
	cmd.Env = append(os.Environ(), serverVar+"=1")
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
	url, err := bufio.NewReader(stdout).ReadString('\n')
	s := &server{strings.TrimSpace(url), cmd, stdin}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the server of crawl did not say its address: %w", err), s.stop())
	}
	return s, nil
}

// stop ends the process and waits for its end.
func (s *server) stop() error { return errors.Join(s.stdin.Close(), s.cmd.Wait()) }
