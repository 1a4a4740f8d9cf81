package persist_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist"
	"example.com/tokenactor/persist/record"
)

var million = flag.Bool("million", false, "benchmarks of persist: files of 1,000,000 credentials, too")

// sizes are the numbers of records in the file.
func sizes() []int {
	if *million {
		return []int{1_000, 1_000_000}
	}
	return []int{1_000}
}

// filled is the path of a closed store of n records of the size that a usual
// answer has.
func filled(b *testing.B, n int) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "tokens.db")
	db := quiet(b, path)
	const batch = 50_000
	for i := 0; i < n; i += batch {
		writes := make([]manager.Write, min(batch, n-i))
		for j := range writes {
			writes[j] = usual(i+j, 0)
		}
		save(b, db, writes...)
	}
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
	return path
}

func quiet(b *testing.B, path string) *persist.DB {
	b.Helper()
	db, err := persist.Open(path, persist.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	return db
}

func usual(i int, expect uint64) manager.Write {
	s := token(fmt.Sprintf("access token of 64 bytes, %038d", i))
	s.Token.RefreshToken = manager.NewSecret(fmt.Sprintf("refresh token of 40 bytes, %013d", i))
	s.Token.Type = "Bearer"
	s.Token.Expiry = time.Unix(1_800_000_000, 0)
	return write(fmt.Sprintf("tenant/%07d", i), expect, s)
}

// rewritten is the path of a file with the same records, as bbolt lays them out
// when its user does not interfere.
func rewritten(b *testing.B, path string) string {
	b.Helper()
	other := filepath.Join(b.TempDir(), "rewritten.db")
	from, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		b.Fatal(err)
	}
	to, err := bbolt.Open(other, 0o600, nil)
	if err != nil {
		b.Fatal(err)
	}
	const batch = 50_000
	err = from.View(func(tx *bbolt.Tx) error {
		cursor := tx.Bucket(bucket).Cursor()
		for key, record := cursor.First(); key != nil; {
			if err := to.Update(func(tx *bbolt.Tx) error {
				tokens, err := tx.CreateBucketIfNotExists(bucket)
				for n := 0; err == nil && key != nil && n < batch; n++ {
					err = tokens.Put(key, record)
					key, record = cursor.Next()
				}
				return err
			}); err != nil {
				return err
			}
		}
		return nil
	})
	if err = errors.Join(err, from.Close(), to.Close()); err != nil {
		b.Fatal(err)
	}
	return other
}

var bucket = []byte("tokenactor/1")

// writers are the goroutines that save at once.
const writers = 100

// A rival saves writes as they come from that many goroutines.
type rival struct {
	save      func([]manager.Write) error
	commits   func() int
	revisions []uint64 // of the records in its file

	rates, group []float64 // of each round: saves per second, and per fsync
}

// ours is a DB.
func ours(b *testing.B, path string) *rival {
	db := quiet(b, path)
	return &rival{commits: db.Commits, save: func(writes []manager.Write) error {
		return errors.Join(db.Save(context.Background(), writes)...)
	}}
}

// batched is bbolt's own way to let writers share a transaction. It stores the
// same records, and compares no revisions.
func batched(b *testing.B, path string, o *bbolt.Options) (*rival, *bbolt.DB) {
	db, err := bbolt.Open(path, 0o600, o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	return &rival{commits: func() int { return persist.Commits(db) }, save: func(writes []manager.Write) error {
		w := &writes[0]
		data := record.Append(nil, w.Snapshot)
		return db.Batch(func(tx *bbolt.Tx) error {
			return tx.Bucket(bucket).Put([]byte(w.Name), data)
		})
	}}, db
}

// round has each of the goroutines make several calls, of one write or of more,
// for names that are scattered over the file and its own.
func (r *rival) round(b *testing.B, goroutines, calls, writes int, step *int) {
	n := len(r.revisions)
	work := make([][][]manager.Write, goroutines)
	for g := range work {
		for c := range calls {
			call := make([]manager.Write, writes)
			for i := range call {
				at := g + goroutines*(((*step+c*writes+i)*7_919+g*1_237)%(n/goroutines))
				call[i] = usual(at, r.revisions[at])
				r.revisions[at]++
			}
			work[g] = append(work[g], call)
		}
	}
	runtime.GC() // of what the making left
	before, start := r.commits(), time.Now()
	var wg sync.WaitGroup
	for _, calls := range work {
		wg.Go(func() {
			for _, call := range calls {
				if err := r.save(call); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	took, saves := time.Since(start), float64(goroutines*calls*writes)
	r.rates = append(r.rates, saves/took.Seconds())
	r.group = append(r.group, saves/float64(2*(r.commits()-before))) // bbolt syncs the pages, then what points to them
}

// BenchmarkSaves renews 100 or 1,000 credentials at once: 100 goroutines with one
// write in each Save, or one Save of all, as a Manager does it. Beside it, in turns
// with it, bbolt's Batch with 100 goroutines: as it comes, and with a MaxBatchSize of
// as many as there are goroutines, so that it begins when all of them wait. The metrics
// are medians of the rounds.
func BenchmarkSaves(b *testing.B) {
	for _, n := range sizes() {
		b.Run(fmt.Sprint("of=", n), func(b *testing.B) {
			path := filled(b, n)
			plain, _ := batched(b, rewritten(b, path), nil)
			tuned, bolt := batched(b, rewritten(b, path), &bbolt.Options{FreelistType: bbolt.FreelistMapType, NoFreelistSync: true})
			bolt.MaxBatchSize = writers
			us := ours(b, path)
			all := []*rival{us, plain, tuned}
			for _, r := range all {
				r.revisions = slices.Repeat([]uint64{1}, n)
			}
			step := 0
			for _, at := range []struct {
				name                      string
				goroutines, calls, writes int
			}{
				{"100-writers", writers, 1, 1},
				{"1000-writers", writers, 10, 1},
				{"100-batch", 1, 1, 100},
				{"1000-batch", 1, 1, 1000},
				{"flow", writers, 100, 1}, // one after the other without end
			} {
				b.Run(at.name, func(b *testing.B) {
					for _, r := range all {
						r.rates, r.group = nil, nil
					}
					for b.Loop() {
						us.round(b, at.goroutines, at.calls, at.writes, &step)
						for _, r := range []*rival{plain, tuned} {
							r.round(b, writers, at.goroutines*at.calls*at.writes/writers, 1, &step)
						}
						step += 1_000
					}
					for name, r := range map[string]*rival{"Batch": plain, "tuned": tuned} {
						ratios := make([]float64, len(r.rates))
						for i := range ratios {
							ratios[i] = us.rates[i] / r.rates[i]
						}
						b.ReportMetric(median(ratios), "x"+name)
						b.ReportMetric(median(r.rates), name+"/s")
					}
					b.ReportMetric(median(us.rates), "saves/s")
					b.ReportMetric(median(us.group), "saves/fsync")
					b.ReportMetric(0, "ns/op") // of all three together: it says nothing
				})
			}
		})
	}
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

// BenchmarkScan opens the file and scans it: with its pages in memory, and, where
// the system can be asked to drop them, from the disk.
func BenchmarkScan(b *testing.B) {
	for _, n := range sizes() {
		path := filled(b, n)
		for _, cold := range []bool{false, true} {
			b.Run(fmt.Sprintf("of=%d/cold=%t", n, cold), func(b *testing.B) {
				var took []float64
				for b.Loop() {
					if cold {
						evict(b, path)
					}
					start := time.Now()
					db := quiet(b, path)
					found := 0
					if err := db.Scan(b.Context(), func(string, manager.Snapshot) error { found++; return nil }); err != nil || found != n {
						b.Fatalf("Scan told of %d records of %d: %v", found, n, err)
					}
					took = append(took, time.Since(start).Seconds())
					if err := db.Close(); err != nil {
						b.Fatal(err)
					}
				}
				report(b, path, took)
			})
		}
	}
}

// BenchmarkManagerScan is the start of a program: it opens the file and has all
// credentials loaded. Its heap is what that leaves, the names included.
func BenchmarkManagerScan(b *testing.B) {
	for _, n := range sizes() {
		path := filled(b, n)
		for _, cold := range []bool{false, true} {
			b.Run(fmt.Sprintf("of=%d/cold=%t", n, cold), func(b *testing.B) {
				var took, heap []float64
				for b.Loop() {
					if cold {
						evict(b, path)
					}
					seconds, size := start(b, path, n)
					took, heap = append(took, seconds), append(heap, size)
				}
				report(b, path, took)
				b.ReportMetric(median(heap)/1e6, "heap-MB")
			})
		}
	}
}

// start gives the seconds that Open and Scan take, and the bytes in use after it.
func start(b *testing.B, path string, n int) (seconds, heap float64) {
	b.Helper()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	begin := time.Now()
	db := quiet(b, path)
	seconds = time.Since(begin).Seconds()
	m, err := manager.New(manager.Config{Store: db, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	refresher := manager.RefresherFunc(func(context.Context, string, manager.Token) (manager.Token, error) {
		return manager.Token{}, errors.New("not asked for")
	})
	for i := range n {
		m.Manage(fmt.Sprintf("tenant/%07d", i), refresher)
	}
	runtime.GC()
	begin = time.Now()
	if err := m.Scan(b.Context()); err != nil {
		b.Fatal(err)
	}
	seconds += time.Since(begin).Seconds()
	if got, want := int(m.Stats().Loads), n; got != want {
		b.Logf("%d of %d credentials are loaded when Scan returns", got, want)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	heap = float64(after.HeapAlloc) - float64(before.HeapAlloc)
	if err := errors.Join(m.Close(), db.Close()); err != nil {
		b.Fatal(err)
	}
	return seconds, heap
}

func report(b *testing.B, path string, took []float64) {
	b.Helper()
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(median(took), "load-s")
	b.ReportMetric(float64(info.Size())/1e6, "file-MB")
	b.ReportMetric(0, "ns/op") // with the time to drop the pages
}

func BenchmarkLoad(b *testing.B) {
	db := quiet(b, filled(b, 1_000))
	names := []string{usual(471, 0).Name}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := db.Load(b.Context(), names); err != nil {
			b.Fatal(err)
		}
	}
}
