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

// Every contender answers in every scene, by numbers in the file and in a table, or
// by the reason why it cannot.
func TestRunOfEverything(t *testing.T) {
	t.Chdir(t.TempDir()) // for the page
	file := filepath.Join(t.TempDir(), "results.json")
	var stdout, stderr strings.Builder
	status := run(t.Context(), strings.Fields("-quick -duration 1ms -count 1 -callers 3 -json "+file), &stdout, &stderr)
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
	units := make(map[string]string) // by scene and metric
	for _, s := range scene.All {
		for _, m := range s.Metrics {
			units[s.Name+" "+m.Name] = m.Unit
		}
	}
	seen := make(map[string]bool)
	answered := make(map[string]bool)
	fields := []string{"callers", "contender", "max", "metric", "min", "runs", "scene", "unit", "value"}
	for _, r := range list {
		if got := slices.Sorted(maps.Keys(r)); !slices.Equal(got, fields) {
			t.Fatalf("a result has the fields %v, want %v", got, fields)
		}
		key := fmt.Sprint(r["scene"], " ", r["contender"], " ", r["metric"])
		if seen[key] || r["callers"] != 3.0 || units[fmt.Sprint(r["scene"], " ", r["metric"])] != r["unit"] {
			t.Errorf("a result that nobody asked for, or twice: %v", r)
		}
		seen[key] = true
		answered[fmt.Sprint(r["scene"], " ", r["contender"])] = true
		least, value, most := r["min"].(float64), r["value"].(float64), r["max"].(float64)
		if r["runs"] != 1.0 || least != value || value != most || least < 0 {
			t.Errorf("%s: %v, %v, %v of %v runs, want one number of one run", key, least, value, most, r["runs"])
		}
		if r["metric"] == "ns/op" && least == 0 {
			t.Errorf("%s: a call took no time at all", key)
		}
	}
	tables := strings.Split(stdout.String(), "\n\n")
	for _, s := range scene.All {
		for _, c := range contender.All {
			if answered[s.Name+" "+c.Name] == declines(tables, s, c) {
				t.Errorf("%s has numbers in %s: %v, want either that or a reason", c.Name, s.Name, answered[s.Name+" "+c.Name])
			}
		}
	}
}

// declines reports whether the table of s says why c cannot.
func declines(tables []string, s scene.Scene, c contender.Contender) bool {
	for i, title := range tables {
		if !strings.HasPrefix(strings.TrimSpace(title), s.Name+", 3 ") {
			continue
		}
		for line := range strings.Lines(tables[i+1]) {
			names, reason, _ := strings.Cut(strings.TrimPrefix(line, "cannot: "), " – ")
			if strings.HasPrefix(line, "cannot: ") && reason != "\n" && slices.Contains(strings.Split(names, ", "), c.Name) {
				return true
			}
		}
	}
	return false
}

func TestMissedPromiseIsStatus1(t *testing.T) {
	t.Chdir(t.TempDir()) // for the page
	var stdout, stderr strings.Builder
	args := strings.Fields("-check -scene read -duration 1ms -count 1 -callers 2 -contender limit")
	if status := run(t.Context(), args, &stdout, &stderr); status != 1 {
		t.Errorf("a check without tokenactor: status %d, want 1\n%s", status, stdout.String())
	}
}

func TestUnwritableResultsAreStatus1(t *testing.T) {
	t.Chdir(t.TempDir()) // for the page
	var stdout, stderr strings.Builder
	file := filepath.Join(t.TempDir(), "missing", "results.json")
	args := []string{"-duration", "1ms", "-count", "1", "-callers", "1", "-scene", "read", "-contender", "limit", "-json", file}
	if status := run(t.Context(), args, &stdout, &stderr); status != 1 || !strings.Contains(stderr.String(), file) {
		t.Errorf("status %d, stderr %q, want 1 and the name %s", status, stderr.String(), file)
	}
}
