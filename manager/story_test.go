package manager

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the stories in testdata with what the machine does now")

// TestStories runs the scripts in testdata through the machine. A script is text:
// comments, a preamble of settings, and then one line an event, with the effects
// that the machine answered indented under it:
//
//	world durable leased        which parts there are
//	policy limit=30s patience   what differs from the default (jitter is off)
//	dice 0.5                    what every draw gives
//
//	0s         ask 1
//	            load
//
// The runner plays no store, server or locker: their answers are events of the
// script. It fires the ticks that the machine asks for, and writes them down.
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d stories in testdata (%v), want at least 20", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got, err := tell(string(want))
			if err != nil {
				t.Fatalf("%s: %v\n%s", file, err, got)
			}
			if *update && got != string(want) {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if d := diff(got, string(want)); d != "" {
				t.Errorf("%s (lines with - are missing, those with + are new; -update accepts them)\n%s", file, d)
			}
		})
	}
}

// tell runs a script and gives it back as the machine would have it.
func tell(script string) (string, error) {
	var out bytes.Buffer
	teller := newTeller(&out)
	for i, line := range strings.Split(strings.TrimRight(script, "\n"), "\n") {
		var err error
		switch first, rest, _ := strings.Cut(line, " "); {
		case line == "", line[0] == '#':
			fmt.Fprintln(&out, line)
		case line[0] == ' ': // effects are written anew
		case first == "world" || first == "policy" || first == "dice":
			err = teller.configure(first, parse(rest))
			fmt.Fprintln(&out, line)
		default:
			err = teller.line(line)
		}
		if err != nil {
			return out.String(), fmt.Errorf("line %d, %q: %w", i+1, line, err)
		}
	}
	return out.String(), nil
}

// words are the arguments of a line: key=value, or a bare word with the value "".
type words map[string]string

func parse(line string) words {
	w := make(words)
	for _, field := range strings.Fields(line) {
		key, value, _ := strings.Cut(field, "=")
		w[key] = value
	}
	return w
}

func (w words) has(key string) bool { _, ok := w[key]; return ok }

// life is a duration, 0 where the script says nothing.
func (w words) life(key string) time.Duration {
	if !w.has(key) {
		return 0
	}
	d, err := time.ParseDuration(w[key])
	if err != nil {
		panic(err)
	}
	return d
}

func (w words) number(key string) (n uint64) {
	if w.has(key) {
		if _, err := fmt.Sscan(w[key], &n); err != nil {
			panic(fmt.Errorf("%s=%s: %w", key, w[key], err))
		}
	}
	return n
}

// diff shows how got differs from want, line by line, "" if it does not.
func diff(got, want string) string {
	if got == want {
		return ""
	}
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	// common[i][j] is the length of the longest common part of g[i:] and w[j:].
	common := make([][]int, len(g)+1)
	for i := range common {
		common[i] = make([]int, len(w)+1)
	}
	for i := len(g) - 1; i >= 0; i-- {
		for j := len(w) - 1; j >= 0; j-- {
			common[i][j] = max(common[i+1][j], common[i][j+1])
			if g[i] == w[j] {
				common[i][j] = common[i+1][j+1] + 1
			}
		}
	}
	var out strings.Builder
	for i, j := 0, 0; i < len(g) || j < len(w); {
		switch {
		case i < len(g) && j < len(w) && g[i] == w[j]:
			fmt.Fprintln(&out, " ", g[i])
			i, j = i+1, j+1
		case j < len(w) && (i == len(g) || common[i][j+1] >= common[i+1][j]):
			fmt.Fprintln(&out, "-", w[j])
			j++
		default:
			fmt.Fprintln(&out, "+", g[i])
			i++
		}
	}
	return out.String()
}
