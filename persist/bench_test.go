package persist_test

import (
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist"
)

// sizes are the numbers of records in the file.
var sizes = []int{1_000, 100_000, 1_000_000}

// filled is a store of n records of the size that a usual answer has.
func filled(b *testing.B, n int) *persist.DB {
	b.Helper()
	db, err := persist.Open(filepath.Join(b.TempDir(), "tokens.db"), persist.Options{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	const batch = 50_000
	for i := 0; i < n; i += batch {
		writes := make([]manager.Write, min(batch, n-i))
		for j := range writes {
			writes[j] = usual(i+j, 0)
		}
		save(b, db, writes...)
	}
	return db
}

func usual(i int, expect uint64) manager.Write {
	s := token(fmt.Sprintf("access token of 64 bytes, %038d", i))
	s.Token.RefreshToken = manager.NewSecret(fmt.Sprintf("refresh token of 40 bytes, %013d", i))
	s.Token.Type = "Bearer"
	s.Token.Expiry = time.Unix(1_800_000_000, 0)
	return write(fmt.Sprintf("tenant/%07d", i), expect, s)
}

// 100 writes, scattered over the names, in one Save.
func BenchmarkSave(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			db := filled(b, n)
			revisions := make([]uint64, n)
			for i := range revisions {
				revisions[i] = 1
			}
			writes := make([]manager.Write, 100)
			at := 0
			b.ReportAllocs()
			for b.Loop() {
				for j := range writes {
					at = (at + 7_919*13) % n // meets every record before any again
					writes[j] = usual(at, revisions[at])
					revisions[at]++
				}
				save(b, db, writes...)
			}
			b.ReportMetric(float64(b.N*len(writes))/b.Elapsed().Seconds(), "writes/s")
		})
	}
}

func BenchmarkScan(b *testing.B) {
	for _, n := range sizes {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			db := filled(b, n)
			b.ReportAllocs()
			for b.Loop() {
				found := 0
				if err := db.Scan(b.Context(), func(string, manager.Snapshot) error { found++; return nil }); err != nil || found != n {
					b.Fatalf("Scan told of %d records of %d: %v", found, n, err)
				}
			}
			b.ReportMetric(float64(b.N*n)/b.Elapsed().Seconds(), "records/s")
		})
	}
}

func BenchmarkLoad(b *testing.B) {
	db := filled(b, 100_000)
	names := []string{usual(4_711, 0).Name}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := db.Load(b.Context(), names); err != nil {
			b.Fatal(err)
		}
	}
}
