package scene

import (
	"errors"
	"slices"
	"testing"
	"time"

	"example.com/tokenactor/bench/contender"
)

// cannot lists who cannot do what; all others can.
var cannot = map[string][]string{
	"read":           {"authorize"},
	"roundtrip":      {"aws"},
	"roundtrip-1500": {"aws"},
	"crawl":          {"aws"},
}

func TestEveryContenderInEveryScene(t *testing.T) {
	for _, s := range All {
		for _, c := range contender.All {
			sample, err := runOnce(t, s, c, 5, time.Millisecond)
			if _, ok := errors.AsType[Cannot](err); ok && slices.Contains(cannot[s.Name], c.Name) {
				continue
			}
			if err != nil {
				t.Errorf("%s, %s: %v", s.Name, c.Name, err)
				continue
			}
			for _, m := range s.Metrics {
				if _, ok := sample[m.Name]; !ok || len(sample) != len(s.Metrics) {
					t.Errorf("%s, %s: the sample %v is not one of %v", s.Name, c.Name, sample, s.Metrics)
				}
			}
		}
	}
}

// runOnce is one run with a stage of its own.
func runOnce(t *testing.T, s Scene, c contender.Contender, callers int, d time.Duration) (Sample, error) {
	t.Helper()
	stage, err := s.Open(t.Context(), callers)
	if err != nil {
		t.Fatal(err)
	}
	sample, err := stage.Run(t.Context(), c, d)
	if stage.Close != nil {
		if err := stage.Close(); err != nil {
			t.Errorf("%s: %v", s.Name, err)
		}
	}
	return sample, err
}
