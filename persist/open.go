package persist

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"example.com/tokenactor/persist/record"
)

// Options are how a DB is opened. The zero value is the default.
type Options struct {
	// Key seals the records with AES-256-GCM. Zero: the tokens are in the file
	// as they are. record.KeyFromFile and record.KeyFromEnv read one. With
	// another key, or none, a sealed file does not open: record.ErrKey.
	Key record.Key

	// OldKeys open what was sealed before Key. DB.Reseal makes them needless.
	OldKeys []record.Key

	// AcceptUnsealed takes over a file from before it had a Key: its records
	// are read as they are, and sealed when they are written next, or all at
	// once by DB.Reseal. Without it such a file is record.ErrUnsealed, and so
	// is a single record in a sealed file: whoever can write to the file, but
	// has no key, could put in a token of his own.
	AcceptUnsealed bool

	// Quarantine goes on after damage, at the price of logins. Open moves a
	// damaged file aside, to its name with ".damaged-" and the time, and
	// begins an empty one; see DB.Quarantined. A single damaged record counts
	// as none; the next write of its name moves its bytes to another bucket of
	// the file, "tokenactor/1/damaged". Both are logged as errors. A file that
	// is locked, newer, sealed with another key, not to be read, or a bbolt
	// file of somebody else is left alone: it is an error as ever.
	Quarantine bool

	// Logger is warned of a file that other users may read, and told of
	// quarantine. Nil: slog.Default().
	Logger *slog.Logger

	// Shared lets other processes have the file open at the same time, if they
	// all set it; see the package comment. False: this one has it for itself.
	Shared bool
}

func (o *Options) logger() *slog.Logger {
	if o.Logger == nil {
		return slog.Default()
	}
	return o.Logger
}

// The one bucket, name to record. A later layout takes another number, so that
// this version says ErrNewer in place of finding nothing.
var bucketName = []byte(bucketPrefix + "1")

const bucketPrefix = "tokenactor/"

// boltOptions leaves bbolt's defaults where measuring gave no clear reason for
// another value: one pass over each among a million records told none of them from
// noise. NoFreelistSync is out for another reason: the next Open would read every
// page, and of damaged ones bbolt panics on a goroutine of its own, where nobody
// can recover. The freelist as a map does not slow down as the file fragments.
func boltOptions() *bbolt.Options {
	return &bbolt.Options{
		Timeout:      time.Second, // bbolt's own default is to wait for ever
		FreelistType: bbolt.FreelistMapType,
	}
}

// Open opens the store in the file at path, or makes a new one there; the folder
// must exist. It waits up to one second for another holder of the file.
//
// The error names the file: ErrLocked, ErrDamaged, ErrNewer, record.ErrKey where a
// key is missing, record.ErrUnsealed where the records are not sealed and a Key was
// given, or that of package io/fs: fs.ErrNotExist for the folder, fs.ErrPermission
// for a file that may not be read and written. The file is never overwritten. An empty file is ErrDamaged and not an empty store: a new store
// appears under its name whole, so an empty file was emptied by something else.
func Open(path string, o Options) (*DB, error) {
	if o.Quarantine {
		return o.openOrMove(path)
	}
	return o.open(path)
}

func (o *Options) open(path string) (*DB, error) {
	sealer, err := o.sealer()
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if err := create(path); err != nil {
			return nil, err
		}
	}
	if path, err = realPath(path); err != nil {
		return nil, err
	}
	// Whoever made or moved the file may have ended before its name was durable.
	// An error is left: who may use the file need not be let into its folder.
	_ = syncFolder(filepath.Dir(path))
	db := &DB{path: path, sealer: sealer, log: o.logger(), quarantine: o.Quarantine, writing: newTurn()}
	begin := db.alone
	if o.Shared {
		begin = db.share
	}
	if err := begin(); err != nil {
		return nil, err
	}
	if err := db.agreeOnKeys(context.Background()); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if mode := db.info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		o.logger().Warn("persist: the token store may be read or written by other users: chmod 600 it",
			"file", path, "mode", fmt.Sprintf("%#o", mode))
	}
	return db, nil
}

// alone opens the file until Close.
func (db *DB) alone() (err error) {
	if db.present, err = attendAlone(db.path); err != nil {
		return err
	}
	if err = db.open(false, openPatience); err != nil {
		return errors.Join(err, db.present.unlock())
	}
	if db.present.File == nil { // meanwhile others may have begun to share it
		if db.present, err = attendAlone(db.path); err != nil {
			return errors.Join(err, db.bolt.Close())
		}
	}
	return nil
}

// realPath is the name under which the file at path is the same for all who know
// it by another, from whatever folder the process is in by then.
func realPath(path string) (string, error) {
	real, err := filepath.EvalSymlinks(path)
	if err == nil {
		real, err = filepath.Abs(real)
	}
	if err != nil {
		return "", fmt.Errorf("persist: %s: %w", path, err)
	}
	return real, nil
}

// open opens the file with bbolt, and waits for its lock so long at most.
func (db *DB) open(readOnly bool, patience time.Duration) (err error) {
	options := boltOptions()
	options.ReadOnly, options.Timeout = readOnly, patience
	options.OpenFile = func(path string, _ int, _ os.FileMode) (_ *os.File, err error) {
		db.file, db.info, err = openFile(path, readOnly)
		return db.file, err
	}
	db.bolt, db.file = nil, nil
	if failed := guard(db.path, func() {
		if db.bolt, err = bbolt.Open(db.path, 0, options); err == nil {
			err = db.check()
		}
	}); failed != nil {
		_ = release(db.file) // bbolt leaves it locked when it panics
		return failed
	}
	if err != nil {
		if db.bolt != nil {
			err = errors.Join(err, db.bolt.Close())
		}
		return explain(db.path, err)
	}
	return nil
}

// openFile opens an existing file only: bbolt would make an empty one, and make
// a store of an empty one.
func openFile(path string, readOnly bool) (*os.File, fs.FileInfo, error) {
	flag := os.O_RDWR
	if readOnly {
		flag = os.O_RDONLY
	}
	f, err := os.OpenFile(path, flag, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = &fs.PathError{Op: "open", Path: path, Err: errors.New("it is no regular file")}
	case info.Size() == 0:
		err = fmt.Errorf("%w: %s: it is empty, and a store never is: restore it from a backup, "+
			"or remove it to begin without tokens", ErrDamaged, path)
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// check looks at what bbolt does not: that all pages are there, and whose they are.
func (db *DB) check() error {
	return db.bolt.View(func(tx *bbolt.Tx) error {
		info, err := db.file.Stat()
		if err != nil {
			return err
		}
		if info.Size() < tx.Size() {
			return fmt.Errorf("%w: %s: it was cut off: %d bytes of %d are there: restore it from a backup",
				ErrDamaged, db.path, info.Size(), tx.Size())
		}
		if tx.Bucket(bucketName) != nil {
			return nil
		}
		next, _ := tx.Cursor().Seek([]byte(bucketPrefix))
		if len(next) > len(bucketPrefix) && string(next[:len(bucketPrefix)]) == bucketPrefix {
			return fmt.Errorf("%w: %s: it holds %q, this program knows %q: upgrade it", ErrNewer, db.path, next, bucketName)
		}
		return fmt.Errorf("%w: %s: %w", ErrDamaged, db.path, errForeign)
	})
}

// explain makes bbolt's errors say which file, and what to do.
func explain(path string, err error) error {
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return fmt.Errorf("%w: %s: another process, or this one, has it open: close it there, or use another file", ErrLocked, path)
	case errors.Is(err, ErrDamaged), errors.Is(err, ErrNewer):
		return err
	case errors.As(err, new(*fs.PathError)):
		return fmt.Errorf("persist: %w", err)
	case errors.As(err, new(syscall.Errno)): // of the lock or the mapping
		return fmt.Errorf("persist: cannot open %s: %w", path, err)
	}
	return fmt.Errorf("%w: %s: %w: restore it from a backup, or move it away to begin without tokens", ErrDamaged, path, err)
}

// create makes an empty store under another name and links it to path, so that
// neither a crash nor another process that opens it now meets half a store.
// Should path be there by then, it stays as it is. A crash may leave the other
// file behind, which holds no token.
func create(path string) error {
	folder := filepath.Dir(path)
	temp, err := os.CreateTemp(folder, filepath.Base(path)+".new-*") // mode 0600
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("persist: %s: the folder is missing: make it first (mkdir -p -m 700 %s): %w", path, folder, err)
	}
	if err != nil {
		return fmt.Errorf("persist: cannot make %s: %w", path, err)
	}
	temp.Close()
	defer os.Remove(temp.Name())

	bolt, err := bbolt.Open(temp.Name(), 0, boltOptions())
	if err != nil {
		return fmt.Errorf("persist: cannot make %s: %w", path, err)
	}
	err = bolt.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucket(bucketName)
		return err
	})
	if err = errors.Join(err, bolt.Close()); err == nil {
		err = os.Link(temp.Name(), path)
	}
	if err == nil {
		err = syncFolder(folder)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("persist: cannot make %s: %w", path, err)
	}
	return nil
}

// syncFolder makes a new name durable: a synced file without one is lost, and
// with it the marks that were to be there before a refresh token is sent.
func syncFolder(folder string) error {
	if runtime.GOOS == "windows" {
		return nil // a folder cannot be synced there
	}
	f, err := os.Open(folder)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
