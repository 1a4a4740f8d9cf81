// Package record is the stored form of a manager.Snapshot: compact, versioned,
// checksummed. Every store of this module uses it; with it a closure, a cache or
// a database row can store snapshots too:
//
//	data := record.Append(nil, snapshot)
//	snapshot, err := record.Decode(data)
//
// A record holds the tokens themselves: keep it where you would keep a password.
// Or seal it with a Key, which is kept elsewhere:
//
//	key, err := record.KeyFromFile("tokens.key")
//	sealer, err := record.NewSealer(key)
//	data := sealer.Append(nil, name, snapshot)
//	snapshot, err := sealer.Decode(name, data)
//
// # Properties
//
//  1. Both functions, and both methods, may be called by any number of goroutines
//     at once. They keep nothing they are given and share nothing they return.
//  2. Equal snapshots give equal bytes, and what Decode accepts, Append gives
//     back byte for byte. Sealed, no two records are equal.
//  3. Decode reads any bytes without a panic and allocates no more than a small
//     multiple of their length.
//
// # Errors
//
// ErrDamaged for bytes that are not a whole record, ErrNewer for a record that a
// later version of this package wrote. Sealed ones add ErrKey and ErrUnsealed. No
// error text holds anything of a token or a key.
//
// # What sealing protects from
//
// Whoever reads the store sees names, the lengths of records, and the IDs of their
// keys; no token, no Extra, no revision. Whoever writes to it can destroy records and
// put back an older record of the same name: sealing does not notice that, but it
// does notice every other change, and a record of another name. Whoever has the
// program's memory, or its key, has the tokens.
//
// # Limits
//
// Times are kept to the nanosecond as instants and come back in UTC; a zone and a
// monotonic reading are lost. Token.RefreshIn and RefreshExpiresIn are not stored,
// and an empty Extra comes back nil.
package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"time"

	"example.com/tokenactor/manager"
)

// What Decode answers, for errors.Is.
var (
	// ErrDamaged: the bytes are no whole record.
	ErrDamaged = errors.New("record: damaged")

	// ErrNewer: the record is whole, but a later version of this package
	// wrote it. Upgrade the program; the record is not at fault.
	ErrNewer = errors.New("record: written by a newer version of tokenactor")

	// ErrKey: the record is sealed, and with none of the keys that were given.
	// The record is not at fault.
	ErrKey = errors.New("record: the key is missing")

	// ErrUnsealed: the record is not sealed, although a key was given.
	ErrUnsealed = errors.New("record: not sealed")
)

// The layout of version 1, not sealed. Numbers are unsigned varints in their shortest form,
// durations zigzag varints, times the seconds since year 1 and the nanoseconds.
//
//	version, flags
//	revision, login, generation
//	expiry, expires in, refresh expiry
//	owner (16 bytes), attempt, login, generation, at, limit    if hasMark
//	at, length of reason                                       if hasRefusal
//	lengths of type, access token, refresh token, scope
//	number of extras, for each the lengths of its key and value
//	the texts: type, access token, refresh token, scope, reason, keys and values
//	CRC-32C of all before (4 bytes, little endian)
//
// Each version begins with its number and ends with that checksum, so that a
// newer record is told from a damaged one.
const version = 1

// The flags.
const (
	hasMark = 1 << iota
	guarded
	hasRefusal
	lost

	knownFlags = hasMark | guarded | hasRefusal | lost
)

const checksumSize = 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// yearOne is the time of the zero time.Time in Unix seconds: counted from there,
// the absent time takes two bytes and needs no flag.
const yearOne = -62135596800

// Append appends the record of s to dst.
func Append(dst []byte, s manager.Snapshot) []byte {
	begin := len(dst)
	t, m, r := &s.Token, s.Mark, s.Refusal
	m.At, r.At = m.At.UTC(), r.At.UTC() // a zero time in another zone is zero all the same
	texts := []string{t.Type, t.AccessToken.Reveal(), t.RefreshToken.Reveal(), t.Scope}

	var flags byte
	if m != (manager.Mark{}) {
		flags |= hasMark
	}
	if m.Guarded {
		flags |= guarded
	}
	if r != (manager.Refusal{}) {
		flags |= hasRefusal
	}
	if r.Lost {
		flags |= lost
	}

	dst = append(dst, version, flags)
	dst = binary.AppendUvarint(dst, s.Revision)
	dst = binary.AppendUvarint(dst, s.Login)
	dst = binary.AppendUvarint(dst, s.Generation)
	dst = appendTime(dst, t.Expiry)
	dst = binary.AppendVarint(dst, int64(t.ExpiresIn))
	dst = appendTime(dst, t.RefreshExpiry)
	if flags&hasMark != 0 {
		dst = append(dst, m.Owner[:]...)
		dst = binary.AppendUvarint(dst, m.Attempt)
		dst = binary.AppendUvarint(dst, m.Login)
		dst = binary.AppendUvarint(dst, m.Generation)
		dst = appendTime(dst, m.At)
		dst = binary.AppendVarint(dst, int64(m.Limit))
	}
	if flags&hasRefusal != 0 {
		dst = appendTime(dst, r.At)
		dst = binary.AppendUvarint(dst, uint64(len(r.Reason)))
	}
	for _, text := range texts {
		dst = binary.AppendUvarint(dst, uint64(len(text)))
	}
	keys := slices.Sorted(maps.Keys(t.Extra))
	dst = binary.AppendUvarint(dst, uint64(len(keys)))
	for _, key := range keys {
		dst = binary.AppendUvarint(dst, uint64(len(key)))
		dst = binary.AppendUvarint(dst, uint64(len(t.Extra[key].Reveal())))
	}

	for _, text := range texts {
		dst = append(dst, text...)
	}
	dst = append(dst, r.Reason...)
	for _, key := range keys {
		dst = append(dst, key...)
		dst = append(dst, t.Extra[key].Reveal()...)
	}
	return appendChecksum(dst, begin)
}

// Decode gives the snapshot whose record data is. It keeps nothing of data. A
// sealed record is ErrKey: a Sealer opens it.
func Decode(data []byte) (manager.Snapshot, error) {
	body, err := frame(data)
	if err != nil {
		return manager.Snapshot{}, err
	}
	if body[0] == versionSealed {
		id, err := sealedWith(body)
		if err == nil {
			err = fmt.Errorf("%w: it is sealed with key %x, and none was given", ErrKey, id)
		}
		return manager.Snapshot{}, err
	}
	return decode(body)
}

// frame checks what all versions have in common, and gives what is before the
// checksum: a version that this program reads, and at least a byte of content.
func frame(data []byte) ([]byte, error) {
	body := len(data) - checksumSize
	if body < 2 {
		return nil, fmt.Errorf("%w: %d bytes are too few", ErrDamaged, len(data))
	}
	if crc32.Checksum(data[:body], castagnoli) != binary.LittleEndian.Uint32(data[body:]) {
		return nil, fmt.Errorf("%w: wrong checksum", ErrDamaged)
	}
	if data[0] > versionSealed {
		return nil, fmt.Errorf("%w: format %d, this program reads up to %d", ErrNewer, data[0], versionSealed)
	}
	return data[:body], nil
}

// decode reads the rest of an unsealed record.
func decode(body []byte) (manager.Snapshot, error) {
	r := reader{data: body[2:]}
	s := r.snapshot(body[1])
	if r.failed || body[0] != version {
		return manager.Snapshot{}, fmt.Errorf("%w: malformed", ErrDamaged)
	}
	return s, nil
}

// appendChecksum ends the record that begins at begin.
func appendChecksum(dst []byte, begin int) []byte {
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[begin:], castagnoli))
}

func appendTime(dst []byte, t time.Time) []byte {
	dst = binary.AppendUvarint(dst, uint64(t.Unix()-yearOne))
	return binary.AppendUvarint(dst, uint64(t.Nanosecond()))
}
