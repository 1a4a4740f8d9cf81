package main

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"example.com/tokenactor/bench/contender"
	"example.com/tokenactor/bench/scene"
)

// BenchmarkRead is the scene read for benchstat. Its ns/op, too, is wall time ÷
// the reads of all callers.
func BenchmarkRead(b *testing.B) {
	for _, c := range contender.All {
		for _, callers := range scene.Read.Callers {
			b.Run(fmt.Sprintf("impl=%s/callers=%d", c.Name, callers), func(b *testing.B) {
				skipOrFail(b, scene.Read.Admit(c))
				r, err := scene.NewReading(b.Context(), c)
				skipOrFail(b, err)
				timed(b, r.Crew(b.Context(), callers, b.N), r.Close)
			})
		}
	}
}

// BenchmarkRoundTrip is the scenes roundtrip and roundtrip-1500 for benchstat.
func BenchmarkRoundTrip(b *testing.B) {
	for _, c := range contender.All {
		for _, size := range []int{scene.ShortToken, scene.LongToken} {
			for _, headers := range scene.RoundTrip.Callers {
				b.Run(fmt.Sprintf("impl=%s/token=%d/headers=%d", c.Name, size, headers), func(b *testing.B) {
					t, err := scene.NewTrip(b.Context(), c, headers, size)
					skipOrFail(b, err)
					timed(b, t.Crew(b.N), t.Close)
				})
			}
		}
	}
}

// BenchmarkScene is all other scenes for benchstat: one iteration is one run, its
// metrics are the means. Meant for -benchtime 1x and a -count.
func BenchmarkScene(b *testing.B) {
	for _, s := range scene.All {
		switch s.Name {
		case scene.Read.Name, scene.RoundTrip.Name, scene.RoundTripLong.Name:
			continue
		}
		for _, c := range contender.All {
			for _, callers := range s.Callers {
				b.Run(fmt.Sprintf("scene=%s/impl=%s/callers=%d", s.Name, c.Name, callers), func(b *testing.B) {
					runs(b, s, c, callers)
				})
			}
		}
	}
}

func runs(b *testing.B, s scene.Scene, c contender.Contender, callers int) {
	stage, err := s.Open(b.Context(), callers)
	skipOrFail(b, err)
	if stage.Close != nil {
		defer func() {
			if err := stage.Close(); err != nil {
				b.Error(err)
			}
		}()
	}
	sums := make(map[string]float64)
	for b.Loop() {
		sample, err := s.Run(b.Context(), stage, c, time.Duration(s.Longer)*20*time.Millisecond)
		skipOrFail(b, err)
		for name, value := range sample.Values {
			sums[name] += value
		}
	}
	for name, sum := range sums {
		b.ReportMetric(sum/float64(b.N), name)
	}
	b.ReportMetric(0, "ns/op") // of no meaning: most of a run is setting up
}

func timed(b *testing.B, crew *scene.Crew, stop func() error) {
	b.Helper()
	b.ReportAllocs()
	b.ResetTimer()
	_, err := crew.Run()
	b.StopTimer()
	if err := errors.Join(err, stop()); err != nil {
		b.Fatal(err)
	}
}

// skipOrFail skips what the contender cannot do.
func skipOrFail(b *testing.B, err error) {
	b.Helper()
	if reason, ok := errors.AsType[scene.Cannot](err); ok {
		b.Skip(reason)
	}
	if err != nil {
		b.Fatal(err)
	}
}
