package persist

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.etcd.io/bbolt"

	"example.com/tokenactor/persist/record"
)

// keysName is the bucket of the IDs of all keys that records of the file may be
// sealed with. It tells at Open that a key is missing: found at the first record
// that needs it, that would be long after the start of the program.
var keysName = []byte(bucketPrefix + "1/keys")

// sealer is what Key, OldKeys and AcceptUnsealed amount to; nil: not sealed.
func (o *Options) sealer() (*record.Sealer, error) {
	if o.Key.IsZero() {
		if len(o.OldKeys) > 0 || o.AcceptUnsealed {
			return nil, errors.New("persist: Options.OldKeys and AcceptUnsealed are for a store with a Key: give it one")
		}
		return nil, nil
	}
	s, err := record.NewSealer(o.Key, o.OldKeys...)
	if err != nil {
		return nil, fmt.Errorf("persist: Options.OldKeys: %w", err)
	}
	s.AcceptUnsealed = o.AcceptUnsealed
	return s, nil
}

// agreeOnKeys compares the keys that were given with those that the file needs,
// and notes the newest in it before the first record is sealed.
func (db *DB) agreeOnKeys(ctx context.Context) error {
	tx, tokens, err := db.begin(ctx, false)
	if err != nil {
		return err
	}
	var noted bool
	if failed := guard(db.path, func() { noted, err = db.checkKeys(tx, tokens) }); failed != nil {
		err = failed
	}
	db.end(tx)
	if err != nil || noted {
		return err
	}
	return db.update(ctx, func(tx *bbolt.Tx, tokens *bbolt.Bucket) error {
		if _, err := db.checkKeys(tx, tokens); err != nil { // another process may have been there
			return err
		}
		return noteKey(tx, db.sealer.KeyIDs()[0])
	})
}

// checkKeys reports whether the newest key is noted in the file, or need not be.
func (db *DB) checkKeys(tx *bbolt.Tx, tokens *bbolt.Bucket) (noted bool, err error) {
	given, needed := db.sealer.KeyIDs(), notedKeys(tx)
	var missing []string
	for _, id := range needed {
		if !slices.Contains(given, id) {
			missing = append(missing, id)
		}
	}
	if len(missing) > 0 {
		have := strings.Join(given, ", ")
		if have == "" {
			have = "none"
		}
		return false, fmt.Errorf("persist: %s: %w: records in it are sealed with key %s, given were %s: "+
			"give the missing one too, as Options.Key or among OldKeys", db.path, record.ErrKey, strings.Join(missing, ", "), have)
	}
	if db.sealer == nil {
		return true, nil
	}
	if first, _ := tokens.Cursor().First(); first != nil && len(needed) == 0 && !db.sealer.AcceptUnsealed {
		return false, fmt.Errorf("persist: %s: %w: it has records from before it had a key: "+
			"open it once with Options.AcceptUnsealed and call Reseal", db.path, record.ErrUnsealed)
	}
	return slices.Contains(needed, given[0]), nil
}

func notedKeys(tx *bbolt.Tx) (ids []string) {
	if keys := tx.Bucket(keysName); keys != nil {
		cursor := keys.Cursor()
		for id, _ := cursor.First(); id != nil; id, _ = cursor.Next() {
			ids = append(ids, hex.EncodeToString(id))
		}
	}
	return ids
}

func noteKey(tx *bbolt.Tx, id string) error {
	keys, err := tx.CreateBucketIfNotExists(keysName)
	if err != nil {
		return err
	}
	raw, err := hex.DecodeString(id)
	if err != nil {
		return err
	}
	return keys.Put(raw, nil)
}

// keepNoted notes the newest key again: another process, which seals with another
// one, may have called Reseal since.
func (db *DB) keepNoted(tx *bbolt.Tx) error {
	if db.sealer == nil || db.shared == nil {
		return nil
	}
	id := db.sealer.KeyIDs()[0]
	if slices.Contains(notedKeys(tx), id) {
		return nil
	}
	return noteKey(tx, id)
}

// update runs f in a write transaction and commits it.
func (db *DB) update(ctx context.Context, f func(tx *bbolt.Tx, tokens *bbolt.Bucket) error) error {
	db.writing.Lock()
	defer db.writing.Unlock()
	tx, tokens, err := db.begin(ctx, true)
	if err != nil {
		return err
	}
	defer db.end(tx)
	var own error
	if failed := guard(db.path, func() {
		if own = f(tx, tokens); own == nil {
			err = db.commit(tx)
		}
	}); failed != nil {
		return db.fail(failed)
	}
	if err != nil {
		return fmt.Errorf("persist: %s: cannot save: %w", db.path, err)
	}
	return own
}

// Reseal seals every record with Options.Key that is sealed with an old key, or
// with AcceptUnsealed not at all, and returns their number. After it, without an
// error, OldKeys and AcceptUnsealed can go. What a credential writes meanwhile is
// not disturbed: snapshots and revisions stay as they are.
//
// With Options.Shared, give the new key to all processes first: one that goes on
// sealing with an old key makes it needed again, and the next Open says so.
//
// A record that cannot be opened stays, and is a manager.NameError in the error.
// The file goes on containing the old bytes where pages are free: after a first
// key, make a copy of the closed file with "bbolt compact", and remove the old one,
// if nobody is to find old tokens there.
func (db *DB) Reseal(ctx context.Context) (n int, err error) {
	if db.sealer == nil {
		return 0, fmt.Errorf("persist: %s: Reseal needs Options.Key", db.path)
	}
	var bad damages
	for next := []byte{}; next != nil; {
		if err := ctx.Err(); err != nil {
			return n, bad.join(err)
		}
		done := 0
		var broken damages
		if err := db.update(ctx, func(tx *bbolt.Tx, tokens *bbolt.Bucket) error {
			var err error
			done, next, broken, err = db.resealSome(tokens, next)
			if err != nil || next != nil || len(bad)+len(broken) > 0 {
				return err
			}
			// What a process that has another key first sealed meanwhile.
			for again := []byte{}; again != nil && db.shared != nil; {
				var more int
				more, again, broken, err = db.resealSome(tokens, again)
				if done += more; err != nil || len(broken) > 0 {
					return err
				}
			}
			// All is sealed with one key: the file needs no other.
			if err := tx.DeleteBucket(keysName); err != nil {
				return err
			}
			return noteKey(tx, db.sealer.KeyIDs()[0])
		}); err != nil {
			return n, bad.join(err)
		}
		n += done
		bad = append(bad, broken...)
	}
	return n, bad.join(nil)
}

// resealSome goes over a thousand records from the key begin on: between such
// steps others can write. It returns the key to go on from, nil: that was all.
func (db *DB) resealSome(tokens *bbolt.Bucket, begin []byte) (n int, next []byte, bad damages, err error) {
	const step = 1000
	type pair struct{ key, sealed []byte }
	var stale []pair // bbolt's cursors do not stand changes
	cursor, seen := tokens.Cursor(), 0
	for key, stored := cursor.Seek(begin); key != nil; key, stored = cursor.Next() {
		if seen++; seen > step {
			next = bytes.Clone(key)
			break
		}
		if db.sealer.Current(stored) {
			continue
		}
		name := string(key)
		s, err := db.decode(name, stored)
		if err != nil {
			bad.add(name, err)
			continue
		}
		if s.Revision == 0 {
			continue // in quarantine
		}
		stale = append(stale, pair{[]byte(name), db.sealer.Append(nil, name, s)})
	}
	for _, p := range stale {
		if err := tokens.Put(p.key, p.sealed); err != nil {
			return 0, nil, nil, err
		}
	}
	return len(stale), next, bad, nil
}
