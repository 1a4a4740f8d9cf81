package persist_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist"
)

func init() { children["saver"] = saver }

// saver saves as fast as it can when it is told how often, and says how long the
// longest Save took.
func saver(args []string) {
	db, err := persist.Open(args[0], persist.Options{Shared: true})
	if err != nil {
		panic(err)
	}
	defer db.Close()
	fmt.Println("open")
	var n int
	fmt.Scan(&n)
	longest := time.Duration(0)
	for i := range n {
		begun := time.Now()
		if err := db.Save(context.Background(), []manager.Write{write(args[1], uint64(i), token("next"))})[0]; err != nil {
			fmt.Println(err)
			return
		}
		longest = max(longest, time.Since(begun))
	}
	fmt.Println(longest.Microseconds())
}

// Processes that all save as fast as they can, each its own record: saves per
// second of all together, and the longest wait of any.
func BenchmarkSharedProcesses(b *testing.B) {
	for _, n := range []int{1, 2, 10, 50} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			const each = 40
			longest, saves := 0, 0
			for b.Loop() {
				b.StopTimer()
				path := filepath.Join(b.TempDir(), "tokens.db")
				all := make([]*child, n)
				for i := range all {
					all[i] = startChild(b, "saver", path, name(i))
				}
				for _, c := range all {
					if got := c.line(b); got != "open" {
						b.Fatal(got)
					}
				}
				b.StartTimer()
				for _, c := range all {
					c.tell(b, strconv.Itoa(each))
				}
				for i, c := range all {
					got := c.line(b)
					took, err := strconv.Atoi(got)
					if err != nil {
						b.Fatalf("process %d: %s", i, got)
					}
					longest = max(longest, took)
				}
				saves += n * each
			}
			b.ReportMetric(float64(saves)/b.Elapsed().Seconds(), "saves/s")
			b.ReportMetric(float64(longest)/1000, "ms-longest")
		})
	}
}

// What it costs that the file is opened for each call.
func BenchmarkSharedLoad(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			db := sharedWith(b, n)
			names := []string{usual(n/2, 0).Name}
			for b.Loop() {
				if _, err := db.Load(b.Context(), names); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSharedSave(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			db := sharedWith(b, n)
			for i := uint64(1); b.Loop(); i++ {
				save(b, db, usual(n/2, i))
			}
		})
	}
}

// sharedWith is a shared store of n records.
func sharedWith(b *testing.B, n int) *persist.DB {
	b.Helper()
	path := filepath.Join(b.TempDir(), "tokens.db")
	db := openShared(b, path)
	writes := make([]manager.Write, n)
	for i := range writes {
		writes[i] = usual(i, 0)
	}
	save(b, db, writes...)
	return db
}

func BenchmarkLease(b *testing.B) {
	locker := sharedWith(b, 1).Locker()
	for b.Loop() {
		lease, err := locker.Lock(b.Context(), "a")
		if err == nil {
			err = lease.Unlock(b.Context())
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
