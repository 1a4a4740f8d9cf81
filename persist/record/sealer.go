package record

import (
	"crypto/cipher"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"

	"example.com/tokenactor/manager"
)

// A Sealer turns snapshots into sealed records and back. It seals with AES-256-GCM;
// the name under which a record is stored is part of what is authenticated, so
// that one that was moved to another name does not open.
//
// A nil Sealer is ready for use: its records are not sealed. All methods may be
// called by any number of goroutines. It shows no key however it is printed.
type Sealer struct {
	// AcceptUnsealed lets Decode take records that are not sealed, as a store
	// has them from before it had a key. Each is sealed at its next write. As
	// long as it is set, whoever can write to the store can put a record of
	// his own in the place of a sealed one, and the program would send its
	// requests with his tokens: take it back when all is sealed. Set it before
	// the first use.
	AcceptUnsealed bool

	newest keyID
	ids    []string // of all keys, the newest first
	keys   map[keyID]func(nonce []byte) (cipher.AEAD, []byte)
}

// NewSealer makes a Sealer that seals with key. What was sealed with one of old
// still opens, and is sealed with key at its next write.
//
// Several processes change to a new key in three steps: first all get the new key
// as an old one, then all get it as the key, and when all is sealed with it
// (persist.DB has Reseal) the old one can go.
func NewSealer(key Key, old ...Key) (*Sealer, error) {
	s := &Sealer{newest: key.id(), keys: make(map[keyID]func([]byte) (cipher.AEAD, []byte))}
	for i, k := range append([]Key{key}, old...) {
		if k.IsZero() {
			return nil, fmt.Errorf("record: key %d of %d is absent: use RandomKey, KeyFromFile or KeyFromEnv", i+1, 1+len(old))
		}
		s.ids = append(s.ids, k.ID())
		s.keys[k.id()] = xaes(k.derive("tokenactor record seal", KeySize))
	}
	return s, nil
}

// KeyIDs returns the ID of each key, the newest first.
func (s *Sealer) KeyIDs() []string {
	if s == nil {
		return nil
	}
	return slices.Clone(s.ids)
}

// String names the keys by their IDs.
func (s *Sealer) String() string {
	if s == nil {
		return "sealer(none)"
	}
	return "sealer(keys " + strings.Join(s.ids, " ") + ")"
}

// GoString is String.
func (s *Sealer) GoString() string { return s.String() }

// The layout of a sealed record, version 2:
//
//	version, key id (8 bytes), nonce (24 bytes)
//	a record of version 1 or 3, encrypted
//	the tag of AES-GCM (16 bytes), over the above and the name
//	CRC-32C of all before (4 bytes, little endian)
//
// The checksum tells damage from a wrong key and from a record that was moved.
const (
	versionSealed = 2

	headSize = 1 + len(keyID{})
	tagSize  = 16
)

// Append appends the record of s, which is to be stored under name, to dst.
// Two records of one snapshot differ.
func (s *Sealer) Append(dst []byte, name string, snapshot manager.Snapshot) []byte {
	if s == nil {
		return Append(dst, snapshot)
	}
	var nonce [nonceSize]byte
	rand.Read(nonce[:]) // it never fails
	return s.seal(dst, nonce[:], name, snapshot)
}

func (s *Sealer) seal(dst, nonce []byte, name string, snapshot manager.Snapshot) []byte {
	begin := len(dst)
	dst = append(dst, versionSealed)
	dst = append(dst, s.newest[:]...)
	extra := authenticated(dst[begin:], name)
	dst = append(dst, nonce...)

	plain := len(dst)
	dst = slices.Grow(Append(dst, snapshot), tagSize+checksumSize)
	key := s.keys[s.newest]
	if key == nil {
		panic("record: this Sealer is not of NewSealer")
	}
	gcm, short := key(nonce)
	sealed := gcm.Seal(dst[plain:plain], short, dst[plain:], extra) // in its own place
	return appendChecksum(dst[:plain+len(sealed)], begin)
}

// Decode returns the snapshot that was stored under name as data. It keeps nothing
// of data.
func (s *Sealer) Decode(name string, data []byte) (manager.Snapshot, error) {
	if s == nil {
		return Decode(data)
	}
	body, err := frame(data)
	if err != nil {
		return manager.Snapshot{}, err
	}
	if body[0] != versionSealed {
		if s.AcceptUnsealed {
			return decode(body)
		}
		return manager.Snapshot{}, fmt.Errorf("%w: a key was given, and without a seal anybody may have written it: "+
			"AcceptUnsealed takes over what was stored before there was a key", ErrUnsealed)
	}
	id, err := sealedWith(body)
	if err != nil {
		return manager.Snapshot{}, err
	}
	open := s.keys[id]
	if open == nil {
		return manager.Snapshot{}, fmt.Errorf("%w: it is sealed with key %x, given were %s: give that key as an old one",
			ErrKey, id, strings.Join(s.ids, ", "))
	}
	gcm, short := open(body[headSize:][:nonceSize])
	plain, err := gcm.Open(nil, short, body[headSize+nonceSize:], authenticated(body[:headSize], name))
	if err != nil {
		return manager.Snapshot{}, fmt.Errorf("%w: it was sealed for another name, or changed by somebody without the key", ErrDamaged)
	}
	if plain, err = frame(plain); err != nil {
		return manager.Snapshot{}, err
	}
	return decode(plain)
}

// Revision returns the revision of the snapshot that Decode would return. Of a record
// that is not sealed it makes no more than that: a store asks at every write.
func (s *Sealer) Revision(name string, data []byte) (uint64, error) {
	if body, err := frame(data); err == nil && s == nil && (body[0] == version1 || body[0] == version3) {
		r := reader{data: body[2:]}
		if revision := r.uvarint(); !r.failed {
			return revision, nil
		}
	}
	snapshot, err := s.Decode(name, data)
	return snapshot.Revision, err
}

// Current reports whether data, a record, is what Append would make today: sealed
// with the newest key, or for a nil Sealer not sealed. A store whose records are
// all current needs no old key.
func (s *Sealer) Current(data []byte) bool {
	if s == nil {
		return len(data) > 0 && data[0] != versionSealed
	}
	return len(data) > headSize && data[0] == versionSealed && keyID(data[1:headSize]) == s.newest
}

// authenticated is what the tag covers besides the text. Head has one length: no
// two pairs are equal.
func authenticated(head []byte, name string) []byte {
	return append(append(make([]byte, 0, len(head)+len(name)), head...), name...)
}

// sealedWith returns the key of a sealed record without its checksum.
func sealedWith(body []byte) (keyID, error) {
	if len(body) < headSize+nonceSize+tagSize {
		return keyID{}, fmt.Errorf("%w: %d bytes are too few for a seal", ErrDamaged, len(body))
	}
	return keyID(body[1:headSize]), nil
}
