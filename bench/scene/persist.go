package scene

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"time"

	"example.com/tokenactor/bench/contender"
)

// Persist is the disk: saves of scattered credentials by 100 goroutines at once,
// each of which waits until its own is on the disk, in a file of so many; how many
// of them share an fsync; and a start from the file, until all tokens are usable.
// The load is given for a million credentials, measured with as many as there are,
// and not with fewer than 100,000, where opening the file would be most of it. The
// file is in the page cache.
var Persist = Scene{
	Name:  "persist",
	About: "saves by 100 goroutines in a file of so many credentials; and a start from it, for a million",
	Metrics: []Metric{
		{Name: "saves/s", Unit: "saves/s", More: true}, {Name: "saves/fsync", Unit: "saves", More: true}, {Name: "load_1M_s", Unit: "s"},
	},
	Ratio:   "saves/s",
	Callers: []int{1000, 1_000_000},
	Quick:   []int{1000},
	Least:   1,
	Noun:    "record",
	Longer:  20,
	Rounds:  3,
	Once:    1_000_000,
	Open: func(_ context.Context, n int) (*Stage, error) {
		folder, err := os.MkdirTemp("", "tokenactor-bench-")
		if err != nil {
			return nil, err
		}
		d := &disk{folder: folder, n: n, files: make(map[string]*file)}
		return &Stage{Run: d.run, Close: func() error { return os.RemoveAll(folder) }}, nil
	},
}

// loadLeast is how many records a load is measured with at least.
const loadLeast = 100_000

// A Keeper is a contender that keeps credentials in a file.
type Keeper interface {
	// OpenStore opens or makes the file, as a Store.
	OpenStore(path string) (any, error)

	// Start opens the file and returns when the tokens of all n credentials in
	// it are usable.
	Start(ctx context.Context, path string, n int) (stop func() error, err error)
}

// A Store is such a file.
type Store interface {
	// Fill stores the first revision of the credentials from and up to to.
	Fill(ctx context.Context, from, to int) error

	// Save stores that revision of credential i, which has the one before, and
	// returns when it is durable. Several goroutines call it.
	Save(ctx context.Context, i int, revision uint64) error

	Close() error
}

// A disk is a folder with a file for each contender, which all its runs share.
type disk struct {
	folder string
	n      int
	files  map[string]*file
}

type file struct {
	path      string
	revisions []uint32 // by credential
}

func (d *disk) run(ctx context.Context, c contender.Contender, duration time.Duration) (Sample, error) {
	subject, err := open(c, accessToken)
	if err != nil {
		return Sample{}, err
	}
	keeper, err := as[Keeper](subject.made, "it stores nothing")
	if err != nil {
		return Sample{}, errors.Join(err, subject.close())
	}
	s, err := d.measure(ctx, c.Name, keeper, duration)
	return s, errors.Join(err, subject.close())
}

func (d *disk) measure(ctx context.Context, name string, keeper Keeper, duration time.Duration) (Sample, error) {
	f, err := d.file(ctx, name, keeper)
	if err != nil {
		return Sample{}, err
	}
	before, err := transactions(f.path)
	if err != nil {
		return Sample{}, err
	}
	saves, took, err := f.save(ctx, keeper, duration)
	if err != nil {
		return Sample{}, err
	}
	after, err := transactions(f.path)
	if err != nil {
		return Sample{}, err
	}
	v := map[string]float64{
		"saves/s":     float64(saves) / took.Seconds(),
		"saves/fsync": float64(saves) / float64(2*(after-before)), // the pages, then the root
	}
	if d.n >= loadLeast {
		runtime.GC()
		start := time.Now()
		stop, err := keeper.Start(ctx, f.path, d.n)
		if err != nil {
			return Sample{}, err
		}
		v["load_1M_s"] = time.Since(start).Seconds() * 1e6 / float64(d.n)
		if err := stop(); err != nil {
			return Sample{}, err
		}
	}
	return values(v), nil
}

// file gives the contender's, filled at its first use.
func (d *disk) file(ctx context.Context, name string, keeper Keeper) (*file, error) {
	if f := d.files[name]; f != nil {
		return f, nil
	}
	f := &file{filepath.Join(d.folder, name+".db"), make([]uint32, d.n)}
	for i := range f.revisions {
		f.revisions[i] = 1
	}
	store, err := f.open(keeper)
	if err != nil {
		return nil, err
	}
	const part = 50_000
	for from := 0; from < d.n && err == nil; from += part {
		err = store.Fill(ctx, from, min(d.n, from+part))
	}
	d.files[name] = f
	return f, errors.Join(err, store.Close())
}

func (f *file) open(keeper Keeper) (Store, error) {
	opened, err := keeper.OpenStore(f.path)
	if err != nil {
		return nil, err
	}
	return opened.(Store), nil
}

// save lets the writers save for a while, each credentials of its own.
func (f *file) save(ctx context.Context, keeper Keeper, d time.Duration) (saves int64, took time.Duration, err error) {
	store, err := f.open(keeper)
	if err != nil {
		return 0, 0, err
	}
	writers := min(contender.Writers, len(f.revisions))
	var over atomic.Bool
	var saved atomic.Int64
	crew := NewCrew(writers, func() {}, func(writer int) error {
		draw := rand.New(rand.NewPCG(uint64(writer), 1))
		own := share(len(f.revisions), writers, writer)
		for !over.Load() {
			i := draw.IntN(own)*writers + writer
			f.revisions[i]++
			if err := store.Save(ctx, i, uint64(f.revisions[i])); err != nil {
				return err
			}
			saved.Add(1)
		}
		return nil
	})
	runtime.GC()
	end := time.AfterFunc(d, func() { over.Store(true) })
	defer end.Stop()
	took, err = crew.Run()
	return saved.Load(), took, errors.Join(err, store.Close())
}

// transactions is how many a bbolt file has seen. It looks into the two pages that
// take turns as the root: there is nothing else that counts alike for a file that
// persist has open and one that bbolt has.
func transactions(path string) (int64, error) {
	const magic, head = 0xED0CDAED, 16
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var meta [head + 64]byte
	if _, err := f.ReadAt(meta[:], 0); err != nil {
		return 0, err
	}
	last := uint64(0)
	for range 2 {
		if binary.NativeEndian.Uint32(meta[head:]) != magic {
			return 0, fmt.Errorf("%s is no bbolt file", path)
		}
		last = max(last, binary.NativeEndian.Uint64(meta[head+48:]))
		if _, err := f.ReadAt(meta[:], int64(binary.NativeEndian.Uint32(meta[head+8:]))); err != nil {
			return 0, err
		}
	}
	return int64(last), nil
}
