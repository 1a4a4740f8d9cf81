package main

import (
	"encoding/json"
	"fmt"
	"os"
)

// A result is one number of the file that -json writes.
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
}

// results lists all that was measured. What a contender cannot do is not there.
func results(tables []table) []result {
	list := []result{}
	for _, t := range tables {
		for _, r := range t.rows {
			if r.cannot != "" {
				continue
			}
			for _, m := range t.scene.Metrics {
				s := summarize(r.values(m.Name))
				list = append(list, result{t.scene.Name, r.contender.Name, t.callers,
					m.Name, m.Unit, s.median, s.min, s.max, s.runs})
			}
		}
	}
	return list
}

func writeJSON(file string, tables []table) error {
	b, err := json.MarshalIndent(results(tables), "", "  ")
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	if err := os.WriteFile(file, append(b, '\n'), 0o644); err != nil {
		return fmt.Errorf("bench: writing the results: %w", err)
	}
	return nil
}
