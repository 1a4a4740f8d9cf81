package main

import "slices"

// A stat sums up the values of several runs.
type stat struct {
	median, min, max float64
	runs             int
}

// summarize takes one value or more. The median of an even number is the mean
// of the two in the middle.
func summarize(values []float64) stat {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return stat{
		median: (sorted[(n-1)/2] + sorted[n/2]) / 2,
		min:    sorted[0],
		max:    sorted[n-1],
		runs:   n,
	}
}

// ratios divides round by round.
func ratios(values, by []float64) []float64 {
	r := make([]float64, len(values))
	for i := range values {
		r[i] = values[i] / by[i]
	}
	return r
}

// best takes the least of each round.
func best(rows [][]float64) []float64 {
	least := slices.Clone(rows[0])
	for _, row := range rows[1:] {
		for i, v := range row {
			least[i] = min(least[i], v)
		}
	}
	return least
}
