package persist_test

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// childVariable names, in the environment of a child process, what it is to do.
const childVariable = "TOKENACTOR_TEST_CHILD"

// children are what this test binary does when it is started as a child: tests
// that are about processes, and about their end, need real ones.
var children = map[string]func(args []string){}

// A child is a process that a test started. It ends with the test at the latest.
type child struct {
	*exec.Cmd
	out *bufio.Scanner // its lines on standard output
	in  io.WriteCloser // its standard input
}

// startChild runs children[part] with args in a process of its own.
func startChild(t testing.TB, part string, args ...string) *child {
	t.Helper()
	if children[part] == nil {
		t.Fatalf("there is no child %q", part)
	}
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), childVariable+"="+part)
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
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // one that has ended: nothing happens
		_ = cmd.Wait()
	})
	return &child{cmd, bufio.NewScanner(out), in}
}

// line gives the child's next line, which must be there before it ends.
func (c *child) line(t testing.TB) string {
	t.Helper()
	if !c.out.Scan() {
		t.Fatalf("the child ended before it wrote a line: %v", c.out.Err())
	}
	return strings.TrimSpace(c.out.Text())
}
