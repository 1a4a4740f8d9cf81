package report

import (
	"fmt"
	"time"
)

func same(v float64) Stat { return Stat{v, v, v, 5} }

// row makes one without ratios.
func row(name string, values ...float64) Row {
	r := Row{Contender: name}
	for _, v := range values {
		r.Cells = append(r.Cells, Cell{Stat: Stat{v, v * 0.9, v * 1.2, 5}})
	}
	return r
}

// relate gives the rows their ratios to the first.
func relate(rows ...Row) []Row {
	for _, r := range rows {
		for i := range r.Cells {
			if c := &r.Cells[i]; c.Runs > 0 {
				c.Ratio = same(c.Median / rows[0].Cells[i].Median)
			}
		}
	}
	return rows
}

func yardstick(r Row) Row {
	r.Yardstick = true
	return r
}

const hostile = `<script>alert("x")</script> & 'so'`

// sample has what is hard to draw: nothing, one alone, many, a long name, a hostile
// one, zeros, a range from 0.3 to a million, numbers that are missing.
func sample() Page {
	p := Page{Machine: "a processor, 2 procs", Date: "2026-01-02", Size: "medians of 5 rounds", Command: "go -C bench run . -json '" + hostile + "'"}
	ns := Metric{Name: "ns/op", Unit: "ns"}
	wide := Load{Title: "1 caller", Reference: Ours, Noise: []Stat{{1, 0.9, 1.1, 5}}, Harness: "Starting 1 goroutine takes 1µs.",
		Rows: relate(row(Ours, 0.3), row("slow", 1e6), row("nothing", 0), yardstick(row("limit", 0.2)), Row{Contender: "unable", Cannot: hostile})}
	many := Load{Title: "1,000 callers", Reference: Ours, Noise: []Stat{{1, 1, 1, 5}}, Rows: []Row{row(Ours, 5)}}
	for i := range 16 {
		many.Rows = append(many.Rows, row(fmt.Sprint("contender-", i), float64(i+1)))
	}
	relate(many.Rows...)
	p.Scenes = append(p.Scenes, Scene{Name: "read", About: "all of them", Metrics: []Metric{ns}, Loads: []Load{wide, many}})

	rate := Metric{Name: "saves/s", Unit: "saves/s", More: true}
	partly := row("partly", 8)
	partly.Cells = append(partly.Cells, Cell{})
	p.Scenes = append(p.Scenes, Scene{Name: "persist", About: hostile, Metrics: []Metric{rate, {Name: "load_s", Unit: "s"}},
		Loads: []Load{{Title: "1 record", Reference: Ours, Noise: []Stat{{1, 0.5, 1, 5}, same(1)},
			Rows: relate(row(Ours, 10, 2), partly, row("a-contender-whose-name-is-longer-than-the-room", 3, 1), row(hostile, 3, 4))}}})

	p.Scenes = append(p.Scenes,
		Scene{Name: "late", About: "zeros", Metrics: []Metric{{Name: "extra_refreshes", Unit: "refreshes"}},
			Loads: []Load{{Title: "5 requests", Rows: []Row{row(Ours, 0), row("other", 0)}}}},
		Scene{Name: "alone", About: "one contender", Metrics: []Metric{ns}, Loads: []Load{{Title: "1 caller", Rows: []Row{row(Ours, 3)}}}},
		Scene{Name: "nobody", About: "nobody can", Metrics: []Metric{ns}, Loads: []Load{{Title: "1 caller", Rows: []Row{{Contender: Ours, Cannot: "a reason"}}}}},
	)

	day := Load{Title: "1,000 credentials", Rows: []Row{row(Ours, 2)}, Watched: Metric{Name: "refreshes/s", Unit: "refreshes/s"},
		Lines: []Line{{Name: Ours, Step: time.Minute, Values: make([]float64, 1440)}, {Name: hostile, Step: time.Minute, Values: make([]float64, 1440)}}}
	day.Lines[0].Values[7], day.Lines[1].Values[700] = 2, 1000
	p.Scenes = append(p.Scenes, Scene{Name: "simulate", About: "a day", Metrics: []Metric{{Name: "peak", Unit: "refreshes/s"}}, Loads: []Load{day}})

	for _, name := range []string{Ours, "limit", hostile} {
		p.Contenders = append(p.Contenders, Contender{Name: name, About: "what " + name + " does", Module: "example.com/" + name, Yardstick: name == "limit"})
	}
	return p
}
