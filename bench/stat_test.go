package main

import (
	"slices"
	"testing"
)

func TestSummarize(t *testing.T) {
	for _, test := range []struct {
		values []float64
		want   stat
	}{
		{[]float64{7}, stat{7, 7, 7, 1}},
		{[]float64{9, 1, 5}, stat{5, 1, 9, 3}},
		{[]float64{4, 1, 10, 2}, stat{3, 1, 10, 4}},
	} {
		before := slices.Clone(test.values)
		if got := summarize(test.values); got != test.want {
			t.Errorf("summarize(%v) = %v, want %v", before, got, test.want)
		}
		if !slices.Equal(test.values, before) {
			t.Errorf("summarize reordered %v to %v: rounds would no longer match", before, test.values)
		}
	}
}

func TestRatiosStayInsideARound(t *testing.T) {
	// The machine was ten times slower in the second round. A ratio of the two
	// medians would be 40 ÷ 5 = 8 or worse; inside each round it is 2.
	ours, theirs := []float64{4, 50, 5}, []float64{8, 100, 10}
	if got, want := ratios(theirs, ours), []float64{2, 2, 2}; !slices.Equal(got, want) {
		t.Errorf("ratios(%v, %v) = %v, want %v", theirs, ours, got, want)
	}
}

func TestBestOfEachRound(t *testing.T) {
	rows := [][]float64{{3, 9, 4}, {5, 2, 4}, {7, 8, 1}}
	if got, want := best(rows), []float64{3, 2, 1}; !slices.Equal(got, want) {
		t.Errorf("best(%v) = %v, want %v", rows, got, want)
	}
	if rows[0][1] != 9 {
		t.Errorf("best changed its argument to %v", rows)
	}
}
