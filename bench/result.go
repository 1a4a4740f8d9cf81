package main

import (
	"encoding/json"
	"fmt"
	"os"
)

// A result is one number of the file that -json writes, or the reason why there is
// none.
type result struct {
	Scene     string  `json:"scene"`
	Contender string  `json:"contender"`
	Callers   int     `json:"callers"`
	Metric    string  `json:"metric"`
	Unit      string  `json:"unit"`
	Value     float64 `json:"value"` // the median
	Min       float64 `json:"min"`
	Max       float64 `json:"max"`
	Runs      int     `json:"runs"`

	// Ratio is the value ÷ that of the contender that ratios of this scene are to,
	// inside a round: its median, min and max. Nil: the scene takes none of this
	// metric. Not in the file, which has what was measured.
	Ratio *stat `json:"-"`

	// Series is the last run in the course of time, one value a minute; of the
	// first metric of the scene simulate only. Not in the file.
	Series []float64 `json:"-"`

	// Cannot is why the contender cannot do the scene: then there is no metric,
	// and the result is not in the file. "": it can.
	Cannot string `json:"-"`
}

// results lists all, in the order of the tables.
func results(tables []table) []result {
	list := []result{}
	for _, t := range tables {
		for i := range t.rows {
			list = append(list, t.results(&t.rows[i])...)
		}
	}
	return list
}

// results lists those of one row: one for each metric that it has a part in.
func (t *table) results(r *row) []result {
	blank := result{Scene: t.scene.Name, Contender: r.contender.Name, Callers: t.callers, Cannot: r.cannot}
	if r.cannot != "" {
		return []result{blank}
	}
	var list []result
	for _, m := range t.scene.Metrics {
		if !r.has(m.Name) {
			continue
		}
		s := summarize(r.values(m.Name))
		got := blank
		got.Metric, got.Unit = m.Name, m.Unit
		got.Value, got.Min, got.Max, got.Runs = s.median, s.min, s.max, s.runs
		if ref := t.reference(); ref != nil && m.Name == t.scene.Ratio {
			ratio := t.ratio(r, ref)
			got.Ratio = &ratio
		}
		if len(list) == 0 {
			got.Series = r.samples[len(r.samples)-1].Series
		}
		list = append(list, got)
	}
	return list
}

// measured leaves out what could not be done.
func measured(list []result) []result {
	kept := []result{}
	for _, r := range list {
		if r.Cannot == "" {
			kept = append(kept, r)
		}
	}
	return kept
}

func writeJSON(file string, list []result) error {
	b, err := json.MarshalIndent(measured(list), "", "  ")
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	if err := os.WriteFile(file, append(b, '\n'), 0o644); err != nil {
		return fmt.Errorf("bench: writing the results: %w", err)
	}
	return nil
}
