package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/tokenactor/bench/contender"
	"example.com/tokenactor/bench/report"
	"example.com/tokenactor/bench/scene"
)

// pageTable has the runs of two who can, one of whom has no part in the second
// metric, and one who cannot.
func pageTable(name string, callers int) table {
	run := func(ns, more float64) scene.Sample {
		return scene.Sample{Values: map[string]float64{"ns/op": ns, "more/s": more}}
	}
	partly := scene.Sample{Values: map[string]float64{"ns/op": 30}, Series: []float64{1, 2}}
	return table{
		scene: scene.Scene{Name: name, About: "a sample", Noun: "caller", Ratio: "ns/op",
			Metrics: []scene.Metric{{Name: "ns/op", Unit: "ns"}, {Name: "more/s", Unit: "more/s", More: true}}},
		callers: callers,
		rows: []row{
			{contender: contender.Contender{Name: "tokenactor"}, samples: []scene.Sample{run(10, 5), run(20, 6), run(10, 7)}},
			{contender: contender.Contender{Name: "other"}, samples: []scene.Sample{partly, partly, partly}},
			{contender: contender.Contender{Name: "unable", Yardstick: true}, cannot: "it has nothing"},
		},
		again: row{samples: []scene.Sample{run(11, 5), run(20, 6), run(10, 14)}},
	}
}

func TestPageHasWhatWasMeasured(t *testing.T) {
	o := &options{command: "go -C bench run . -quick"}
	tables := []table{pageTable("read", 1), pageTable("read", 100), pageTable("crawl", 1)}
	p := page(o, tables, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))
	if p.Command != o.command || p.Date != "2026-01-02 03:04 UTC" || !strings.Contains(p.Machine, "procs") {
		t.Errorf("got %+v", p)
	}
	if len(p.Scenes) != 2 || len(p.Scenes[0].Loads) != 2 || p.Scenes[0].Loads[1].Title != "100 callers" || p.Scenes[1].Name != "crawl" {
		t.Fatalf("scenes %+v, want read with two loads and crawl with one", p.Scenes)
	}
	if !p.Scenes[0].Metrics[1].More {
		t.Error("more/s lost that more is better")
	}
	l := p.Scenes[0].Loads[0]
	other := l.Rows[1]
	if want := (report.Stat{Median: 3, Min: 1.5, Max: 3, Runs: 3}); other.Cells[0].Ratio != want {
		t.Errorf("ratio %+v, want %+v: round by round", other.Cells[0].Ratio, want)
	}
	if other.Cells[1].Runs != 0 || l.Rows[2].Cannot != "it has nothing" || !l.Rows[2].Yardstick {
		t.Errorf("rows %+v, want no second number and a reason", l.Rows)
	}
	if want := (report.Stat{Median: 1, Min: 1, Max: 1.1, Runs: 3}); l.Reference != "tokenactor" || l.Noise[0] != want || l.Noise[1].Max != 2 {
		t.Errorf("noise %+v against %s, want %+v and 2 at most", l.Noise, l.Reference, want)
	}
	if len(l.Lines) != 1 || l.Lines[0].Name != "other" || l.Lines[0].Step != time.Minute || !slices.Equal(l.Lines[0].Values, []float64{1, 2}) {
		t.Errorf("lines %+v, want that of the last run", l.Lines)
	}
}

func TestPageAndPicturesAreWritten(t *testing.T) {
	dir := t.TempDir()
	o := &options{report: filepath.Join(dir, "page.html"), svg: filepath.Join(dir, "new", "pictures")}
	if err := o.writable(); err != nil {
		t.Fatal(err)
	}
	if err := writePage(o, page(o, []table{pageTable("read", 1), pageTable("crawl", 1)}, time.Now())); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{o.report, filepath.Join(o.svg, "read.svg"), filepath.Join(o.svg, "crawl.svg")} {
		if b, err := os.ReadFile(file); err != nil || !strings.Contains(string(b), "other") {
			t.Errorf("%s: %v, %d bytes", file, err, len(b))
		}
	}
	left, err := filepath.Glob(filepath.Join(dir, "*", "*", ".bench-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// A folder that is not there is found before anything is measured.
func TestUnwritableIsSaidFirst(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	file := filepath.Join(missing, "file")
	for _, o := range []options{{report: file}, {json: file}, {report: t.TempDir()}} {
		err := o.writable()
		if err == nil || !strings.Contains(err.Error(), o.report+o.json) {
			t.Errorf("%+v: %v, want an error with the name of the file", o, err)
		}
	}
	if err := os.WriteFile(missing, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := (&options{svg: missing}).writable(); err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("a file in place of the folder: %v, want an error with its name", err)
	}
}

func TestCommandLine(t *testing.T) {
	got := commandLine([]string{"-report", "", "-json", "a b.json", "-scene", "read,crawl", "it's"})
	if want := `go -C bench run . -report '' -json 'a b.json' -scene read,crawl 'it'\''s'`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// Without a terminal there is a line for each table, and nothing to clear.
func TestProgressWithoutTerminal(t *testing.T) {
	var b strings.Builder
	plans := []plan{{scene: scene.Read, callers: 1, count: 1}, {scene: scene.Read, callers: 10_000, count: 1}}
	p := newProgress(&b, plans)
	for _, plan := range plans {
		p.begin(plan)
		p.step()
		p.clear()
	}
	if want := "1 of 2: read, 1 caller\n2 of 2: read, 10,000 callers\n"; b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}
