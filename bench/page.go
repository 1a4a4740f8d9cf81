package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"example.com/tokenactor/bench/number"
	"example.com/tokenactor/bench/report"
)

// page puts together what people are shown of a run.
func page(o *options, tables []table, now time.Time) report.Page {
	p := report.Page{
		Machine: machine(),
		Date:    now.UTC().Format("2006-01-02 15:04 UTC"),
		Size:    size(o),
		Command: o.command,
	}
	version := versions()
	for _, c := range o.contenders {
		p.Contenders = append(p.Contenders, report.Contender{
			Name: c.Name, About: c.About, Module: c.Module, Version: version[c.Module], Yardstick: c.Yardstick})
	}
	for i := range tables {
		t := &tables[i]
		if n := len(p.Scenes); n == 0 || p.Scenes[n-1].Name != t.scene.Name {
			p.Scenes = append(p.Scenes, t.pageScene())
		}
		last := &p.Scenes[len(p.Scenes)-1]
		last.Loads = append(last.Loads, t.pageLoad())
	}
	return p
}

func (t *table) pageScene() report.Scene {
	s := report.Scene{Name: t.scene.Name, About: t.scene.About}
	for _, m := range t.scene.Metrics {
		s.Metrics = append(s.Metrics, report.Metric(m))
	}
	return s
}

func (t *table) pageLoad() report.Load {
	unit := t.scene.Metrics[0].Unit
	l := report.Load{Title: number.Plural(t.callers, t.scene.Noun), Watched: report.Metric{Name: unit, Unit: unit}}
	ref := t.reference()
	if ref != nil {
		l.Reference = ref.contender.Name
	}
	if t.goroutines > 0 {
		l.Harness = fmt.Sprintf("Starting and ending %s takes %v of each run of %v.",
			number.Plural(t.goroutines, "goroutine"), t.idle.Round(time.Microsecond), t.duration)
	}
	for i := range t.rows {
		r := &t.rows[i]
		row := report.Row{Contender: r.contender.Name, Yardstick: r.contender.Yardstick, Cannot: r.cannot}
		if r.cannot == "" {
			row.Cells = t.pageCells(r, ref)
			if series := r.samples[len(r.samples)-1].Series; series != nil {
				l.Lines = append(l.Lines, report.Line{Name: r.contender.Name, Step: time.Minute, Values: series})
			}
		}
		l.Rows = append(l.Rows, row)
	}
	if ref != nil && len(t.again.samples) > 0 {
		for _, c := range t.pageCells(&t.again, ref) {
			l.Noise = append(l.Noise, c.Ratio)
		}
	}
	return l
}

// pageCells has one for each metric, empty where r has no part in it.
func (t *table) pageCells(r, ref *row) []report.Cell {
	cells := make([]report.Cell, len(t.scene.Metrics))
	for i, m := range t.scene.Metrics {
		if !r.has(m.Name) {
			continue
		}
		cells[i].Stat = pageStat(summarize(r.values(m.Name)))
		if ref != nil && ref.has(m.Name) {
			cells[i].Ratio = pageStat(t.ratioOf(m.Name, r, ref))
		}
	}
	return cells
}

func pageStat(s stat) report.Stat {
	return report.Stat{Median: s.median, Min: s.min, Max: s.max, Runs: s.runs}
}

// writePage writes the page and the pictures that o asks for.
func writePage(o *options, p report.Page) error {
	if o.report != "" {
		var b bytes.Buffer
		if err := report.Write(&b, p); err != nil {
			return err
		}
		if err := os.WriteFile(o.report, b.Bytes(), 0o644); err != nil {
			return fmt.Errorf("bench: writing the page: %w", err)
		}
	}
	if o.svg == "" {
		return nil
	}
	for _, s := range p.Scenes {
		var b bytes.Buffer
		if some, err := report.Picture(&b, p, s); err != nil {
			return err
		} else if !some {
			continue
		}
		if err := os.WriteFile(filepath.Join(o.svg, s.Name+".svg"), b.Bytes(), 0o644); err != nil {
			return fmt.Errorf("bench: writing a picture: %w", err)
		}
	}
	return nil
}

// writable makes sure that the results can be written before minutes are spent on
// them: the folders exist, and take files.
func (o *options) writable() error {
	if o.svg != "" {
		if err := os.MkdirAll(o.svg, 0o755); err != nil {
			return fmt.Errorf("bench: -svg: %w", err)
		}
		if err := probe(filepath.Join(o.svg, "picture.svg")); err != nil {
			return fmt.Errorf("bench: -svg %s: %w", o.svg, err)
		}
	}
	for name, file := range map[string]string{"-json": o.json, "-report": o.report} {
		if file == "" {
			continue
		}
		if err := probe(file); err != nil {
			return fmt.Errorf("bench: %s %s cannot be written: %w", name, file, err)
		}
	}
	return nil
}

// probe makes a file beside the one that is to be written, and removes it.
func probe(file string) error {
	if info, err := os.Stat(file); err == nil && info.IsDir() {
		return fmt.Errorf("it is a folder")
	}
	f, err := os.CreateTemp(filepath.Dir(file), ".bench-*")
	if err != nil {
		return err
	}
	f.Close()
	return os.Remove(f.Name())
}

// commandLine gives what one would type for these arguments.
func commandLine(args []string) string {
	words := []string{"go -C bench run ."}
	for _, a := range args {
		if a == "" || strings.ContainsAny(a, " \t\n'\"\\$&|;<>()*?[]#~`") {
			a = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
		words = append(words, a)
	}
	return strings.Join(words, " ")
}
