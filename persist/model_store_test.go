package persist_test

import (
	"bytes"
	"errors"
	"log/slog"

	"go.etcd.io/bbolt"

	"example.com/tokenactor/persist"
	"example.com/tokenactor/persist/record"
)

func (p *play) open() {
	p.Helper()
	switch {
	case p.kind.file:
		o := persist.Options{Quarantine: p.kind.quarantine, Shared: p.kind.shared, Logger: slog.New(slog.DiscardHandler)}
		if p.kind.sealed {
			o.Key, o.OldKeys = p.keys[0], p.keys[1:]
		}
		db, err := persist.Open(p.path, o)
		if err != nil {
			p.Fatal(err)
		}
		p.store = db
	case p.kind.rows:
		f := p.rows.store()
		if p.kind.sealed {
			var err error
			if f.Sealer, err = record.NewSealer(p.keys[0], p.keys[1:]...); err != nil {
				p.Fatal(err)
			}
		}
		p.store = f
	case p.store == nil:
		p.store = new(persist.Memory)
	}
}

func (p *play) close() {
	if db, ok := p.store.(*persist.DB); ok {
		if err := db.Close(); err != nil {
			p.Errorf("Close: %v", err)
		}
	}
}

// reopen ends the use of the store, does something behind its back, and opens it.
func (p *play) reopen(meanwhile func()) {
	p.Helper()
	p.close()
	if meanwhile != nil {
		meanwhile()
	}
	p.open()
}

// rotate changes the key. Half of the time it seals all anew first and forgets the
// old ones.
func (p *play) rotate() {
	if !p.kind.sealed {
		return
	}
	db, ok := p.store.(*persist.DB)
	if forget := p.n(2) == 1; ok && forget {
		_, err := db.Reseal(p.Context())
		if len(p.damaged) == 0 && err != nil || err != nil && !errors.Is(err, record.ErrDamaged) {
			p.Errorf("Reseal: %v, with damaged names %q", err, p.damaged)
		}
		if err == nil {
			p.keys = p.keys[:1]
		}
	}
	p.keys = append([]record.Key{testKey(byte(len(p.keys) + p.n(200)))}, p.keys...)
	p.reopen(nil)
}

// raw gives the stored record of name, and stores another one if that is not nil.
func (p *play) raw(name string, other []byte) (stored []byte) {
	if p.kind.rows {
		stored = bytes.Clone(p.rows[name])
		if other != nil {
			p.rows[name] = other
		}
		return stored
	}
	p.reopen(func() {
		surgery(p, p.path, func(tx *bbolt.Tx) error {
			tokens := tx.Bucket([]byte("tokenactor/1"))
			stored = bytes.Clone(tokens.Get([]byte(name)))
			if other != nil {
				return tokens.Put([]byte(name), other)
			}
			return nil
		})
	})
	return stored
}

func (p *play) damage() {
	name := p.name()
	if !p.kind.file && !p.kind.rows || p.model[name].Revision == 0 || p.damaged[name] != nil {
		return
	}
	whole := p.raw(name, nil)
	broken := bytes.Clone(whole)
	broken[p.n(len(broken))] ^= 1 << p.n(8)
	p.raw(name, broken)
	p.reopen(nil) // Func knows the revision, and has no reason to look
	if delete(p.model, name); !p.kind.quarantine {
		p.damaged[name] = whole
	}
}

// heal puts a backup of a damaged record back.
func (p *play) heal() {
	name := p.name()
	whole := p.damaged[name]
	if whole == nil {
		return
	}
	p.raw(name, whole)
	delete(p.damaged, name)
	sealer := (*record.Sealer)(nil)
	if p.kind.sealed {
		var err error
		if sealer, err = record.NewSealer(p.keys[0], p.keys[1:]...); err != nil {
			p.Fatal(err)
		}
	}
	s, err := sealer.Decode(name, whole)
	if err != nil {
		p.Fatalf("the backup of %q: %v", name, err)
	}
	p.model[name] = s
}
