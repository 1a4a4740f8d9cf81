package manager

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"runtime/metrics"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// benched starts a manager for a benchmark.
func benched(b *testing.B, config Config) *Manager {
	b.Helper()
	config.Logger = slog.New(slog.DiscardHandler)
	m, err := New(config)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := m.Close(); err != nil {
			b.Error(err)
		}
	})
	return m
}

// cpuSeconds is what the program has computed so far, all cores together.
func cpuSeconds() float64 {
	runtime.GC() // which brings the figure up to date
	sample := []metrics.Sample{{Name: "/cpu/classes/user:cpu-seconds"}}
	metrics.Read(sample)
	return sample[0].Value.Float64()
}

// heap is what lives on the heap, in bytes.
func heap() float64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return float64(stats.HeapAlloc)
}

// BenchmarkToken is the hot read.
func BenchmarkToken(b *testing.B) {
	ctx := context.Background()
	c := benched(b, Config{}).Manage("billing", RefresherFunc(func(context.Context, string, Token) (Token, error) {
		return Token{AccessToken: NewSecret("T")}, nil
	}))
	if _, err := c.Token(ctx); err != nil {
		b.Fatal(err)
	}
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if t, err := c.Token(ctx); t == nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if t, err := c.Token(ctx); t == nil {
					b.Error(err)
					return
				}
			}
		})
	})
}

// BenchmarkMillion brings a million credentials to life under one manager, each with
// a token that expires, and says what that costs. Bytes are those beyond the header
// value, which holds the access token and fills its 48 bytes; the name is among them.
func BenchmarkMillion(b *testing.B) {
	const n = 1_000_000
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("tenant-%07d", i)
	}
	ctx := context.Background()
	for b.Loop() {
		goroutines, before := runtime.NumGoroutine(), heap()
		m := benched(b, Config{})
		r := RefresherFunc(func(_ context.Context, name string, _ Token) (Token, error) {
			return Token{AccessToken: NewSecret("access-token-of-forty-one-bytes" + name[4:]), ExpiresIn: time.Hour}, nil
		})
		for _, name := range names {
			m.Manage(name, r)
		}
		managed := heap()
		var strings atomic.Int64
		var wg sync.WaitGroup
		for part := range 64 {
			wg.Go(func() {
				for i := part; i < n; i += 64 {
					t, err := m.Manage(names[i], nil).Token(ctx)
					if err != nil {
						b.Error(err)
						return
					}
					strings.Add(int64(len(t.Authorization()[0])))
				}
			})
		}
		wg.Wait()
		alive := heap()
		start := time.Now()
		runtime.GC()
		b.ReportMetric(float64(time.Since(start).Milliseconds()), "ms/GC")
		b.ReportMetric((managed-before)/n, "B/managed")
		b.ReportMetric((alive-before-float64(strings.Load()))/n, "B/credential")
		b.ReportMetric(float64(runtime.NumGoroutine()-goroutines), "goroutines")
		runtime.KeepAlive(m)
	}
}

// BenchmarkReschedule moves one deadline among a million.
func BenchmarkReschedule(b *testing.B) {
	const n, hour = 1_000_000, int64(time.Hour)
	var h deadlines
	for i := range int32(n) {
		h.set(i+1, rand.Int64N(hour))
	}
	at := make([]int64, 1<<16) // drawing takes its time too
	for i := range at {
		at[i] = rand.Int64N(hour / 10)
	}
	b.Run("next", func(b *testing.B) { // the one that has come goes to the end, as after a renewal
		for i := 0; b.Loop(); i++ {
			h.set(h.first(), h.next()+hour+at[i%len(at)])
		}
	})
	b.Run("any", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			h.set(int32((i*7919)%n)+1, h.next()+hour+at[i%len(at)])
		}
	})
}

// BenchmarkRenewals has so many credentials come due at once, with a Refresher that
// answers at once: what the actor makes of it.
func BenchmarkRenewals(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var leap, calls atomic.Int64
			renewedc := make(chan struct{})
			m := benched(b, Config{OnEvent: func(Event) {}})
			begin := time.Now()
			m.actor.now = func() (wall, monotonic int64) { // read by the loop after the first message
				now := time.Now()
				return now.UnixNano() + leap.Load(), int64(now.Sub(begin)) + leap.Load()
			}
			r := RefresherFunc(func(context.Context, string, Token) (Token, error) {
				call := calls.Add(1)
				if call%int64(n) == 0 {
					renewedc <- struct{}{}
				}
				return Token{AccessToken: NewSecret(strconv.FormatInt(call, 16)), ExpiresIn: time.Hour}, nil
			})
			cs := make([]*Credential, n)
			go func() {
				for i := range cs {
					cs[i] = m.Manage(fmt.Sprint("tenant ", i), r)
					if _, err := cs[i].Token(context.Background()); err != nil {
						b.Error(err)
					}
				}
			}()
			<-renewedc
			rounds, cpu := 0, cpuSeconds()
			for b.Loop() {
				leap.Add(int64(57 * time.Minute))
				cs[0].Status()
				<-renewedc
				rounds++
			}
			renewals := float64(rounds * n)
			b.ReportMetric(renewals/b.Elapsed().Seconds(), "renewals/s")
			b.ReportMetric((cpuSeconds()-cpu)*1e9/renewals, "cpu-ns/renewal")
		})
	}
}

// BenchmarkStorm is the wake-up of ten thousand callers who wait for one refresh, from
// its answer until the last has the token; and, to compare with, that of as many who
// wait for nothing but a channel or their own context.
func BenchmarkStorm(b *testing.B) {
	const n = 10_000
	b.Run("bare", func(b *testing.B) {
		storm(b, n, func() (wait func(context.Context), release func()) {
			donec := make(chan struct{})
			return func(ctx context.Context) {
				select {
				case <-donec:
				case <-ctx.Done():
				}
			}, func() { close(donec) }
		})
	})
	b.Run("Renew", func(b *testing.B) {
		releasec := make(chan struct{}, 1)
		releasec <- struct{}{}
		serial := 0
		c := benched(b, Config{}).Manage("billing", RefresherFunc(func(context.Context, string, Token) (Token, error) {
			<-releasec
			serial++
			return Token{AccessToken: NewSecret(fmt.Sprint("T", serial)), ExpiresIn: time.Hour}, nil
		}))
		storm(b, n, func() (wait func(context.Context), release func()) {
			rejected, err := c.Token(context.Background())
			if err != nil {
				b.Fatal(err)
			}
			c.Replayed(rejected, true)
			return func(ctx context.Context) {
				if _, err := c.Renew(ctx, rejected); err != nil {
					b.Error(err)
				}
			}, func() { releasec <- struct{}{} }
		})
	})
}

// storm measures from release until n callers of wait have gone on.
func storm(b *testing.B, n int, begin func() (wait func(context.Context), release func())) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	b.StopTimer()
	for range b.N {
		wait, release := begin()
		var came, gone sync.WaitGroup
		came.Add(n)
		for range n {
			gone.Go(func() {
				ctx, cancel := context.WithCancel(ctx)
				defer cancel()
				came.Done()
				wait(ctx)
			})
		}
		came.Wait()
		time.Sleep(20 * time.Millisecond) // until the last of them waits
		b.StartTimer()
		release()
		gone.Wait()
		b.StopTimer()
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N), "µs/storm")
}
