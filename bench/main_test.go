package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"example.com/tokenactor/bench/contender"
	"example.com/tokenactor/bench/scene"
)

func TestMain(m *testing.M) {
	scene.Serve()
	goleak.VerifyTestMain(m)
}

// cannot lists who cannot do what.
var cannot = map[string]string{"read": "authorize", "roundtrip": "aws", "roundtrip-1500": "aws", "crawl": "aws"}

// Every contender answers in every scene that it can do, and each number is in the
// file; the tables show all.
func TestQuickRunOfEverything(t *testing.T) {
	file := filepath.Join(t.TempDir(), "results.json")
	var stdout, stderr strings.Builder
	status := run(t.Context(), []string{"-quick", "-duration", "1ms", "-count", "2", "-callers", "1,3", "-json", file}, &stdout, &stderr)
	if status != 0 {
		t.Fatalf("status %d, want 0\n%s%s", status, stderr.String(), stdout.String())
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var list []map[string]any
	if err := json.Unmarshal(b, &list); err != nil {
		t.Fatalf("the file is not an array of objects: %v\n%s", err, b)
	}

	missing := make(map[string]bool)
	for _, s := range scene.All {
		for _, c := range contender.All {
			if cannot[s.Name] == c.Name {
				continue
			}
			for _, callers := range []int{1, 3} {
				for _, m := range s.Metrics {
					missing[fmt.Sprintln(s.Name, c.Name, callers, m.Name, m.Unit)] = true
				}
			}
		}
	}
	fields := []string{"callers", "contender", "max", "metric", "min", "runs", "scene", "unit", "value"}
	for _, r := range list {
		if got := slices.Sorted(maps.Keys(r)); !slices.Equal(got, fields) {
			t.Fatalf("a result has the fields %v, want %v", got, fields)
		}
		key := fmt.Sprintln(r["scene"], r["contender"], r["callers"], r["metric"], r["unit"])
		if !missing[key] {
			t.Errorf("a result that nobody asked for, or twice: %s", key)
		}
		delete(missing, key)
		least, value, most := r["min"].(float64), r["value"].(float64), r["max"].(float64)
		if r["runs"] != 2.0 || least > value || value > most || least < 0 {
			t.Errorf("%s: %v ≤ %v ≤ %v of %v runs, want 0 ≤ min ≤ value ≤ max of 2", key, least, value, most, r["runs"])
		}
		if r["metric"] == "ns/op" && least == 0 {
			t.Errorf("%s: a call took no time at all", key)
		}
	}
	for key := range missing {
		t.Errorf("no result for %s", key)
	}
	for _, c := range contender.All {
		if n, want := strings.Count(stdout.String(), "\n"+c.Name+" "), 1+2*len(scene.All); n != want {
			t.Errorf("%s is on %d lines, want %d: the list and two tables of each scene\n%s", c.Name, n, want, stdout.String())
		}
	}
	if n, want := strings.Count(stdout.String(), "cannot: "), 2*len(cannot); n != want {
		t.Errorf("%d lines say cannot, want %d\n%s", n, want, stdout.String())
	}
}

func TestMissedPromiseIsStatus1(t *testing.T) {
	var stdout, stderr strings.Builder
	args := strings.Fields("-check -scene read -duration 1ms -count 1 -callers 2 -contender limit")
	if status := run(t.Context(), args, &stdout, &stderr); status != 1 {
		t.Errorf("a check without tokenactor: status %d, want 1\n%s", status, stdout.String())
	}
}

func TestUnwritableResultsAreStatus1(t *testing.T) {
	var stdout, stderr strings.Builder
	file := filepath.Join(t.TempDir(), "missing", "results.json")
	args := []string{"-duration", "1ms", "-count", "1", "-callers", "1", "-scene", "read", "-contender", "limit", "-json", file}
	if status := run(t.Context(), args, &stdout, &stderr); status != 1 || !strings.Contains(stderr.String(), file) {
		t.Errorf("status %d, stderr %q, want 1 and the name %s", status, stderr.String(), file)
	}
}
