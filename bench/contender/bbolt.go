package contender

import (
	"context"
	"errors"
	"time"

	"go.etcd.io/bbolt"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist/record"
)

// The engine of persist as it comes: Batch gathers the saves of many goroutines
// for 10 ms or up to 1,000. It stores the same records as persist and compares no
// revision.
var bboltBatch = Contender{
	Name:   "bbolt",
	About:  "bbolt: DB.Batch, all defaults",
	Module: "go.etcd.io/bbolt",
	Open:   func(Job) (any, error) { return &boltFiles{tune: func(*bbolt.DB) {}}, nil },
}

// At its best for so many writers: a batch begins as soon as all of them wait, the
// list of free pages is a map and is not written.
var bboltTuned = Contender{
	Name:   "bbolt-tuned",
	About:  "bbolt: DB.Batch, MaxBatchSize the number of writers, NoFreelistSync, FreelistMapType",
	Module: "go.etcd.io/bbolt",
	Open: func(Job) (any, error) {
		return &boltFiles{
			options: bbolt.Options{NoFreelistSync: true, FreelistType: bbolt.FreelistMapType},
			tune:    func(db *bbolt.DB) { db.MaxBatchSize = Writers },
		}, nil
	},
}

// Writers is how many goroutines save at once in the scene persist.
const Writers = 100

var boltTokens = []byte("tokens")

type boltFiles struct {
	options bbolt.Options
	tune    func(*bbolt.DB)
}

func (f *boltFiles) OpenStore(path string) (any, error) {
	o := f.options
	o.Timeout = time.Second
	db, err := bbolt.Open(path, 0o600, &o)
	if err != nil {
		return nil, err
	}
	f.tune(db)
	return &boltFile{db}, db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(boltTokens)
		return err
	})
}

// Start reads all n into a map.
func (f *boltFiles) Start(_ context.Context, path string, n int) (stop func() error, err error) {
	opened, err := f.OpenStore(path)
	if err != nil {
		return nil, err
	}
	db := opened.(*boltFile).DB
	index := make(map[string]*manager.Snapshot, n)
	err = db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(boltTokens).ForEach(func(name, value []byte) error {
			s, err := record.Decode(value)
			index[string(name)] = &s
			return err
		})
	})
	if err == nil && len(index) != n {
		err = errors.New("contender: records are missing in " + path)
	}
	return func() error { clear(index); return db.Close() }, err
}

type boltFile struct{ *bbolt.DB }

func (f *boltFile) Fill(_ context.Context, from, to int) error {
	return f.Update(func(tx *bbolt.Tx) error {
		for i := from; i < to; i++ {
			if err := tx.Bucket(boltTokens).Put([]byte(keyName(i)), record.Append(nil, Snapshot(1))); err != nil {
				return err
			}
		}
		return nil
	})
}

func (f *boltFile) Save(_ context.Context, i int, revision uint64) error {
	key, value := []byte(keyName(i)), record.Append(nil, Snapshot(revision))
	return f.Batch(func(tx *bbolt.Tx) error { return tx.Bucket(boltTokens).Put(key, value) })
}
