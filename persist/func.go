package persist

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist/record"
)

// Func makes a Store of functions: a row of a database, a cache, a secrets
// service, a file each; there is an example of every one of these. The functions
// move records, the bytes of package record, and not snapshots: whoever wrote a
// Snapshot's fields one by one would sooner or later miss one, and encoding/json
// would store "[secret]" for each token. A bytea, a BLOB or a base64 string holds a
// record; to make one from a token that you have, use record.Append.
//
// The functions are called one at a time, so they need no locks of their own; for
// the same reason one that ignores its context holds up all others. Set the fields
// before the first use, and do not copy a Func after it.
//
// What Func does not promise:
//
//   - More than one process. Revisions are compared with what this Func last
//     loaded or saved: two processes on one table would both win, spend one
//     refresh token twice, and lose the login. A row that somebody else changes is
//     seen at the next Load. For several processes use a store that compares in
//     its engine.
//   - Batches. The writes of a batch are saved one after the other, and wait for
//     the disk each. A thousand renewals in a second are work for a DB.
//   - Durability beyond that of SaveFunc. One that returns before the record is on
//     the disk, or in a cache that evicts, loses marks and refresh tokens, and with
//     them logins. Where every token can be had again by a login without a human,
//     that costs a few logins and nothing else.
//   - Mending. A damaged record is an error of its name until somebody removes it;
//     Options.Quarantine is of DB.
type Func struct {
	// LoadFunc returns the record last saved under name. Where there is none it
	// returns no bytes, or an error that is fs.ErrNotExist. Required.
	LoadFunc func(ctx context.Context, name string) ([]byte, error)

	// SaveFunc replaces the record under name, wholly or not at all, and
	// returns when it is durable. It may keep the slice.
	//
	// Nil: LoadFunc is all there is, as for a token from elsewhere that needs
	// no login. What the manager writes is kept in memory until the process
	// ends; only a write with a refresh token fails, as errors.ErrUnsupported,
	// since to lose that is to lose the login.
	SaveFunc func(ctx context.Context, name string, record []byte) error

	// ScanFunc calls f with every record until f returns an error, which it
	// returns. It may change the slice afterwards.
	//
	// Nil: Scan fails as errors.ErrUnsupported, and each credential is
	// loaded when it is first needed.
	ScanFunc func(ctx context.Context, f func(name string, record []byte) error) error

	// Sealer seals the records, so that whoever can read the row or the file
	// does not have the tokens; record.NewSealer makes one. Nil: they are
	// stored as they are, and LoadFunc may return what record.Append made.
	Sealer *record.Sealer

	mu        sync.Mutex
	revisions map[string]uint64 // as last loaded or saved; absent: unknown
	kept      map[string][]byte // what was saved without a SaveFunc
}

var _ manager.Store = (*Func)(nil)

// Load calls LoadFunc for each name. Its error is that of the name alone.
func (f *Func) Load(ctx context.Context, names []string) ([]manager.Snapshot, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	snapshots := make([]manager.Snapshot, len(names))
	var bad damages
	for i, name := range names {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var err error
		if snapshots[i], err = f.load(ctx, name); err != nil {
			bad.add(name, err)
		}
	}
	return snapshots, bad.join(nil)
}

// Scan calls ScanFunc, and visit with each snapshot.
func (f *Func) Scan(ctx context.Context, visit func(name string, s manager.Snapshot) error) error {
	if f.ScanFunc == nil {
		return fmt.Errorf("persist: this Func has no ScanFunc: %w", errors.ErrUnsupported)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var bad damages
	one := func(name string, data []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		s, err := f.learn(name, data)
		if err != nil {
			bad.add(name, err)
			return nil
		}
		return visit(name, s)
	}
	for name, data := range f.kept {
		if err := one(name, data); err != nil {
			return bad.join(err)
		}
	}
	if err := ctx.Err(); err != nil {
		return bad.join(err)
	}
	return bad.join(f.ScanFunc(ctx, func(name string, data []byte) error {
		if f.kept[name] != nil {
			return nil // told already, and newer
		}
		return one(name, data)
	}))
}

// Save calls SaveFunc for each write whose revision is right. An error of
// SaveFunc leaves open what is stored: the next write of that name loads first.
func (f *Func) Save(ctx context.Context, writes []manager.Write) []error {
	f.mu.Lock()
	defer f.mu.Unlock()
	errs := make([]error, len(writes))
	for i := range writes {
		if errs[i] = ctx.Err(); errs[i] == nil {
			errs[i] = f.save(ctx, &writes[i])
		}
	}
	return errs
}

func (f *Func) save(ctx context.Context, w *manager.Write) error {
	revision, known := f.revisions[w.Name]
	if !known {
		s, err := f.load(ctx, w.Name)
		if err != nil {
			return &manager.NameError{Name: w.Name, Err: err}
		}
		revision = s.Revision
	}
	if err := admit(w, revision); err != nil {
		return err
	}
	data := f.Sealer.Append(nil, w.Name, w.Snapshot)
	if err := f.store(ctx, w, data); err != nil {
		delete(f.revisions, w.Name)
		return &manager.NameError{Name: w.Name, Err: err}
	}
	f.revisions[w.Name] = w.Snapshot.Revision
	return nil
}

func (f *Func) store(ctx context.Context, w *manager.Write, data []byte) error {
	if f.SaveFunc != nil {
		return f.SaveFunc(ctx, w.Name, data)
	}
	if !w.Snapshot.Token.RefreshToken.IsZero() {
		return fmt.Errorf("persist: a refresh token needs a SaveFunc: %w", errors.ErrUnsupported)
	}
	if f.kept == nil {
		f.kept = make(map[string][]byte)
	}
	f.kept[w.Name] = data
	return nil
}

func (f *Func) load(ctx context.Context, name string) (manager.Snapshot, error) {
	if err := checkName(name); err != nil {
		return manager.Snapshot{}, err
	}
	data := f.kept[name]
	if data == nil {
		var err error
		if data, err = f.LoadFunc(ctx, name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return manager.Snapshot{}, err
		}
	}
	return f.learn(name, data)
}

// learn notes the revision of what is stored under name; no bytes: nothing is.
func (f *Func) learn(name string, data []byte) (s manager.Snapshot, err error) {
	if len(data) > 0 {
		if s, err = f.Sealer.Decode(name, data); err != nil {
			delete(f.revisions, name)
			return s, err
		}
	}
	if f.revisions == nil {
		f.revisions = make(map[string]uint64)
	}
	f.revisions[name] = s.Revision
	return s, nil
}
