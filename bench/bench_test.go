package main

import (
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
				if err != nil {
					b.Fatal(err)
				}
				crew := r.Crew(b.Context(), callers, b.N)
				b.ReportAllocs()
				b.ResetTimer()
				_, err = crew.Run()
				b.StopTimer()
				if err != nil {
					b.Fatal(err)
				}
				if err := r.Close(); err != nil {
					b.Fatal(err)
				}
			})
		}
	}
}

// BenchmarkRoundTrip is the scene roundtrip for benchstat.
func BenchmarkRoundTrip(b *testing.B) {
	for _, c := range contender.All {
		for _, s := range []scene.TripScene{scene.ShortToken, scene.LongToken} {
			_ = s
		}
	}
}
