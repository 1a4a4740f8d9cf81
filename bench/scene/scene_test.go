package scene

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/tokenactor/bench/contender"
)

// can lists who can do what.
var can = map[string]string{
	"read":           "tokenactor oauth2 oauth2-401 google google-blocking aws smithy smithy-async rwmutex channel limit harness",
	"roundtrip":      decorators,
	"roundtrip-1500": decorators,
	"crawl":          decorators,
	"stall":          "tokenactor oauth2 oauth2-401 google google-blocking aws smithy smithy-async azcore rwmutex channel harness",
	"outage":         readers,
	"storm":          requesters,
	"late":           requesters,
	"cancel":         readers,
	"keys":           "tokenactor oauth2 oauth2-401 google google-blocking aws smithy smithy-async gophercloud rwmutex limit harness",
	"persist":        "tokenactor bbolt bbolt-tuned",
	"simulate":       "tokenactor tokenactor-unjittered",
}

const (
	decorators = "tokenactor oauth2 oauth2-401 google google-blocking azcore rwmutex channel authorize limit harness"
	readers    = "tokenactor oauth2 oauth2-401 google google-blocking aws smithy smithy-async azcore gophercloud rwmutex channel limit"
	requesters = "tokenactor oauth2-401 aws azcore gophercloud rwmutex channel limit"
)

func TestEveryContenderInEveryScene(t *testing.T) {
	for _, s := range All {
		for _, c := range contender.All {
			sample, err := runOnce(t, s, c, 5, time.Millisecond)
			reason, cannot := errors.AsType[Cannot](err)
			if want := !slices.Contains(strings.Fields(can[s.Name]), c.Name); cannot != want || cannot && reason == "" {
				t.Errorf("%s, %s: %v; that it cannot: %v, want %v", s.Name, c.Name, err, cannot, want)
			}
			if cannot {
				continue
			}
			if err != nil {
				t.Errorf("%s, %s: %v", s.Name, c.Name, err)
				continue
			}
			for name := range sample.Values {
				if !slices.ContainsFunc(s.Metrics, func(m Metric) bool { return m.Name == name }) {
					t.Errorf("%s, %s: the sample %v has %s, which is none of %v", s.Name, c.Name, sample.Values, name, s.Metrics)
				}
			}
			if _, ok := sample.Values[s.Metrics[0].Name]; !ok {
				t.Errorf("%s, %s: the sample %v is without %s", s.Name, c.Name, sample.Values, s.Metrics[0].Name)
			}
		}
	}
}

func TestScenesAreWhole(t *testing.T) {
	for _, s := range All {
		if s.Name == "" || s.About == "" || s.Noun == "" || len(s.Metrics) == 0 || len(s.Callers) == 0 || len(s.Quick) == 0 {
			t.Errorf("the scene %+v lacks something", s)
		}
		if s.Ratio != "" && !slices.ContainsFunc(s.Metrics, func(m Metric) bool { return m.Name == s.Ratio }) {
			t.Errorf("%s: ratios are of %s, which is none of its metrics", s.Name, s.Ratio)
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
	sample, err := s.Run(t.Context(), stage, c, d)
	if stage.Close != nil {
		if err := stage.Close(); err != nil {
			t.Errorf("%s: %v", s.Name, err)
		}
	}
	return sample, err
}
