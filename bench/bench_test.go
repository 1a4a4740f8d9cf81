package main

import (
	"errors"
	"fmt"
	"testing"

	"example.com/tokenactor/bench/contender"
	"example.com/tokenactor/bench/scene"
)

// BenchmarkRead is the scene read for benchstat. Its ns/op, too, is wall time ÷
// the reads of all callers.
func BenchmarkRead(b *testing.B) {
	for _, c := range contender.All {
		for _, callers := range scene.Read.Callers {
			b.Run(fmt.Sprintf("impl=%s/callers=%d", c.Name, callers), func(b *testing.B) {
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
