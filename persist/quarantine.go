package persist

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"go.etcd.io/bbolt"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist/record"
)

// damagedName is the bucket of damaged records that were moved aside: their name,
// a zero byte and the time, to their bytes. Nobody reads it but an operator.
var damagedName = []byte(bucketPrefix + "1/damaged")

// errForeign is joined to ErrDamaged where the file is whole, but somebody else's.
var errForeign = errors.New("it is a bbolt file but not a token store: use another file")

// moveable reports whether err, of Open, says that the file can only be moved away.
func moveable(err error) bool {
	return errors.Is(err, ErrDamaged) && !errors.Is(err, errForeign)
}

// openOrMove is open that moves a damaged file aside.
func (o *Options) openOrMove(path string) (*DB, error) {
	var aside string
	for tries := 1; ; tries++ {
		met, _ := os.Stat(path) // nil: there is none
		db, err := o.open(path)
		if err == nil {
			db.quarantined = aside
			return db, nil
		}
		if tries == 5 {
			return nil, err
		}
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue // another process has just moved it
		case !moveable(err):
			return nil, err
		}
		if real, failed := filepath.EvalSymlinks(path); failed == nil {
			path = real // the link to it stays
		}
		moved, failed := moveAway(path, met)
		if failed != nil {
			return nil, errors.Join(err, failed)
		}
		if moved != "" {
			aside = moved
			o.logger().Error("persist: the damaged token store was moved aside, and an empty one begun: the logins in it are gone",
				"file", path, "moved to", aside, "error", err)
		}
	}
}

// Quarantined returns the path to which Open moved a damaged file, "" if it did
// not. The store then began empty.
func (db *DB) Quarantined() string { return db.quarantined }

// moveAway renames the damaged file at path, and returns its new name; "" if another
// process was faster.
//
// Of several processes that find the damage at once, one moves the file; no other
// may move the new one that takes its place. So what is renamed is the file that
// was met before the damage was found, under the lock that bbolt takes too.
func moveAway(path string, met fs.FileInfo) (string, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("persist: %w", err)
	}
	if runtime.GOOS == "windows" {
		// There a file that somebody has open cannot be renamed at all.
		f.Close()
		return rename(path)
	}
	lock := lockFile{f}
	defer lock.unlock()
	if canShare {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := poll(ctx, 10*time.Millisecond, 50*time.Millisecond, func() (bool, error) { return lock.try(true) }); err != nil {
			return "", fmt.Errorf("%w: %s: it is damaged, and another process has it open: close it there", ErrLocked, path)
		}
	}
	locked, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("persist: %w", err)
	}
	if now, err := os.Stat(path); err != nil || met == nil || !os.SameFile(met, locked) || !os.SameFile(met, now) {
		return "", nil
	}
	return rename(path)
}

// rename gives path a name that was free, with the time in it.
func rename(path string) (string, error) {
	aside := path + ".damaged-" + time.Now().UTC().Format("20060102T150405.000000000Z")
	if _, err := os.Lstat(aside); !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("persist: cannot move the damaged %s: %s is there already (%v)", path, aside, err)
	}
	if err := os.Rename(path, aside); err != nil {
		return "", fmt.Errorf("persist: cannot move the damaged %s: %w", path, err)
	}
	if err := syncFolder(filepath.Dir(path)); err != nil {
		return "", fmt.Errorf("persist: cannot move the damaged %s: %w", path, err)
	}
	return aside, nil
}

// decode returns the snapshot of a stored record. With Quarantine a damaged one
// counts as none, Revision 0: Save moves it aside.
func (db *DB) decode(name string, stored []byte) (manager.Snapshot, error) {
	s, err := db.sealer.Decode(name, stored)
	if err != nil && db.quarantine && errors.Is(err, record.ErrDamaged) {
		if _, again := db.warned.LoadOrStore(name, true); !again {
			db.log.Error("persist: a damaged record counts as none: its credential needs a new login",
				"file", db.path, "name", name, "error", err)
		}
		return manager.Snapshot{}, nil
	}
	return s, err
}

// admit says whether w may replace stored, the record under its name in tokens;
// nil: none. With Quarantine a damaged one may be replaced as if there were none,
// and is kept elsewhere in the file.
func (db *DB) admit(tokens *bbolt.Bucket, w *manager.Write, stored []byte) error {
	if stored == nil {
		return admit(w, 0)
	}
	if revision, err := db.sealer.Revision(w.Name, stored); err == nil && revision > 0 {
		return admit(w, revision)
	}
	s, err := db.decode(w.Name, stored)
	if err != nil {
		return &manager.NameError{Name: w.Name, Err: err}
	}
	if err := admit(w, s.Revision); err != nil || s.Revision > 0 {
		return err
	}
	aside, err := tokens.Tx().CreateBucketIfNotExists(damagedName)
	if err == nil {
		key := fmt.Appendf(nil, "%s\x00%s", w.Name, time.Now().UTC().Format(time.RFC3339Nano))
		if len(key) > bbolt.MaxKeySize { // of the longest names the end goes
			key = append(key[:bbolt.MaxKeySize-40], key[len(key)-40:]...)
		}
		err = aside.Put(key, bytes.Clone(stored)) // stored lies in the page that is to be changed
	}
	if err != nil {
		return &manager.NameError{Name: w.Name, Err: fmt.Errorf("persist: cannot keep its damaged record: %w", err)}
	}
	db.warned.Delete(w.Name)
	return nil
}
