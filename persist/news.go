package persist

import (
	"encoding/binary"
	"io/fs"
	"os"

	"go.etcd.io/bbolt"

	"example.com/tokenactor/manager"
)

// In shared mode each write leaves a piece of news in a bucket of its own, under
// the next number: the revision and the name. The last of them are kept, so that
// following them costs the same whatever the size of the store.
var newsName = []byte("news")

const newsKept = 1 << 14

// note leaves the news of a write.
func (db *DB) note(tx *bbolt.Tx, w *manager.Write) error {
	if db.shared == nil {
		return nil // nobody follows them
	}
	news, err := tx.CreateBucketIfNotExists(newsName)
	if err != nil {
		return err
	}
	news.FillPercent = 0.9 // they come in the order of their keys
	number, err := news.NextSequence()
	if err != nil {
		return err
	}
	if number > newsKept {
		if err := news.Delete(newsKey(number - newsKept)); err != nil {
			return err
		}
	}
	return news.Put(newsKey(number), append(binary.BigEndian.AppendUint64(nil, w.Snapshot.Revision), w.Name...))
}

func newsKey(number uint64) []byte { return binary.BigEndian.AppendUint64(nil, number) }

// newest is the number of the last piece of news.
func newest(tx *bbolt.Tx) uint64 {
	if news := tx.Bucket(newsName); news != nil {
		return news.Sequence()
	}
	return 0
}

// A position is a place in the news: the file in which they were read, and the
// number of the last. A file that took the place of another counts from 1 again.
type position struct {
	file   fs.FileInfo
	number uint64
}

// A piece is one piece of news.
type piece struct {
	name     string
	revision uint64
}

// newsAfter is the news of file that came after from. It is incomplete when some
// of them are no longer kept, or when the file is another one by now.
func newsAfter(tx *bbolt.Tx, file fs.FileInfo, from position) (pieces []piece, complete bool) {
	number, last := from.number, newest(tx)
	if !os.SameFile(file, from.file) {
		return nil, false
	}
	if last <= number {
		return nil, last == number
	}
	cursor := tx.Bucket(newsName).Cursor()
	for key, value := cursor.Seek(newsKey(number + 1)); key != nil; key, value = cursor.Next() {
		number++
		if binary.BigEndian.Uint64(key) != number || len(value) < 8 {
			return nil, false
		}
		pieces = append(pieces, piece{string(value[8:]), binary.BigEndian.Uint64(value)})
	}
	return pieces, number == last
}
