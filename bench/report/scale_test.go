package report

import (
	"slices"
	"testing"
)

func TestScale(t *testing.T) {
	for name, c := range map[string]struct {
		values []float64
		log    bool
		labels []string // of those that have one
	}{
		"nothing":            {nil, false, []string{"0", "1"}},
		"zeros":              {[]float64{0, 0}, false, []string{"0", "1"}},
		"one":                {[]float64{3}, false, []string{"0", "1", "2", "3"}},
		"less than 20 times": {[]float64{1.1, 21}, false, []string{"0", "10", "20", "30"}},
		"more than 20 times": {[]float64{1.1, 23}, true, []string{"1", "10", "100"}},
		"with zero":          {[]float64{0, 9995}, false, []string{"0", "5k", "10k"}},
		"zero and far apart": {[]float64{0, 2, 6600}, true, []string{"0", "1", "10", "100", "1k", "10k"}},
		"0.3 ns to 1 ms":     {[]float64{0.3, 1e6}, true, []string{"0.1", "10", "1k", "100k"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScale(c.values)
			var labels []string
			last := -1.0
			for _, tick := range s.ticks() {
				if tick.At <= last || tick.At > 1+1e-9 {
					t.Errorf("a tick at %v after %v", tick.At, last)
				}
				last = tick.At
				if tick.Label != "" {
					labels = append(labels, tick.Label)
				}
			}
			if s.log != c.log || !slices.Equal(labels, c.labels) {
				t.Errorf("log %v with the labels %q, want %v with %q", s.log, labels, c.log, c.labels)
			}
			for _, v := range c.values {
				if at := s.at(v); at < 0 || at > 1 || (v == 0) != (at == 0) {
					t.Errorf("%v is at %v", v, at)
				}
			}
		})
	}
}

// On a logarithmic scale equal ratios are equally far apart.
func TestLogScale(t *testing.T) {
	s := newScale([]float64{1, 1000})
	if a, b := s.at(20)-s.at(2), s.at(400)-s.at(40); a != b && a-b > 1e-9 {
		t.Errorf("tenfold is %v here and %v there", a, b)
	}
}
