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
//  2. Equal snapshots have equal bytes, and for what Decode accepts, Append returns
//     the same bytes. Sealed, no two records are equal.
//  3. Decode reads any bytes without a panic and allocates no more than a small
//     multiple of their length.
//
// # Versions
//
// A snapshot that has none of the fields that version 3 added is written in version 1,
// so that earlier releases of this module still read it: no Token.RefreshIn, Asked,
// RetryAt, Suspicion or Mark.Answered, and at most one refusal, with an Asker of 0. All
// others are written in version 3, which earlier releases report as ErrNewer. Version 2
// is a sealed record, which contains a record of version 1 or 3. All are read.
//
// # Errors
//
// ErrDamaged for bytes that are not a whole record, ErrNewer for a record that a
// later version of this package wrote. Sealed ones add ErrKey and ErrUnsealed. No
// error text contains anything of a token or a key.
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
// monotonic reading are lost. Token.RefreshExpiresIn is not stored. Of more than
// manager.MaxRefusals refusals the last ones are stored, and a refusal that is zero in
// every field is left out. An empty Extra, or Refusals without entries, comes back nil.
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

// The layout of versions 1 and 3, not sealed. Numbers are unsigned varints in their
// shortest form, durations zigzag varints, times the seconds since year 1 and the
// nanoseconds, hashes 8 bytes, little endian. What is marked with 3 is in version 3 only.
//
//	version, flags
//	revision, login, generation
//	expiry, expires in, refresh expiry
//	3: refresh in, asked (hash), retry at
//	owner (16 bytes), attempt, login, generation, at, limit    if hasMark
//	3: number of refusals (1 to 4)                             if hasRefusal
//	    3: asker (hash), lost (0 or 1)                         for each refusal
//	    at, length of reason                                   for each refusal
//	3: since, last, answers, length of reason                  if hasSuspicion
//	lengths of type, access token, refresh token, scope
//	number of extras, for each the lengths of its key and value
//	the texts: type, access token, refresh token, scope, reasons of the refusals,
//	    reason of the suspicion, keys and values
//	CRC-32C of all before (4 bytes, little endian)
//
// Each version begins with its number and ends with that checksum, so that a
// newer record is told from a damaged one. The revision is at the same place in both.
const (
	version1 = 1
	version3 = 3

	newestVersion = version3
)

// The flags.
const (
	hasMark = 1 << iota
	guarded
	hasRefusal
	lost     // version 1 only: version 3 has it for each refusal
	answered // version 3 only, as all that follow
	hasSuspicion
)

const checksumSize = 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// yearOne is the time of the zero time.Time in Unix seconds: counted from there,
// the absent time takes two bytes and needs no flag.
const yearOne = -62135596800

// versionOf returns the version in which s is written, the lowest that has a place
// for each of its fields. Like flagsOf it expects what Append has brought into one form,
// or Decode has read.
func versionOf(s *manager.Snapshot) byte {
	switch {
	case s.Token.RefreshIn != 0, s.Asked != 0, s.Mark.Answered, !s.RetryAt.IsZero(),
		len(s.Refusals) > 1, len(s.Refusals) == 1 && s.Refusals[0].Asker != 0,
		s.Suspicion != manager.Suspicion{}:
		return version3
	}
	return version1
}

// appendWritten appends to kept, which has room for manager.MaxRefusals, those refusals
// that are written.
func appendWritten(kept, refusals []manager.Refusal) []manager.Refusal {
	for _, r := range refusals {
		if r.At = r.At.UTC(); r == (manager.Refusal{}) {
			continue
		}
		if len(kept) == manager.MaxRefusals {
			kept = kept[:copy(kept, kept[1:])]
		}
		kept = append(kept, r)
	}
	return kept
}

// flagsOf returns the flags of s, which is written in version v.
func flagsOf(s *manager.Snapshot, v byte) (flags byte) {
	if s.Mark != (manager.Mark{}) {
		flags |= hasMark
	}
	if s.Mark.Guarded {
		flags |= guarded
	}
	if s.Mark.Answered {
		flags |= answered
	}
	if len(s.Refusals) > 0 {
		flags |= hasRefusal
	}
	if v == version1 && len(s.Refusals) == 1 && s.Refusals[0].Lost {
		flags |= lost
	}
	if s.Suspicion != (manager.Suspicion{}) {
		flags |= hasSuspicion
	}
	return flags
}

// Append appends the record of s to dst.
func Append(dst []byte, s manager.Snapshot) []byte {
	// Equal snapshots have one form: a zero time in another zone is zero all the same.
	var kept [manager.MaxRefusals]manager.Refusal
	s.Refusals = appendWritten(kept[:0], s.Refusals)
	s.Mark.At, s.Suspicion.Since, s.Suspicion.Last = s.Mark.At.UTC(), s.Suspicion.Since.UTC(), s.Suspicion.Last.UTC()
	begin, v := len(dst), versionOf(&s)
	flags := flagsOf(&s, v)
	t := &s.Token
	texts := []string{t.Type, t.AccessToken.Reveal(), t.RefreshToken.Reveal(), t.Scope}

	dst = append(dst, v, flags)
	dst = binary.AppendUvarint(dst, s.Revision)
	dst = binary.AppendUvarint(dst, s.Login)
	dst = binary.AppendUvarint(dst, s.Generation)
	dst = appendTime(dst, t.Expiry)
	dst = binary.AppendVarint(dst, int64(t.ExpiresIn))
	dst = appendTime(dst, t.RefreshExpiry)
	if v == version3 {
		dst = binary.AppendVarint(dst, int64(t.RefreshIn))
		dst = binary.LittleEndian.AppendUint64(dst, s.Asked)
		dst = appendTime(dst, s.RetryAt)
	}
	if m := &s.Mark; flags&hasMark != 0 {
		dst = append(dst, m.Owner[:]...)
		dst = binary.AppendUvarint(dst, m.Attempt)
		dst = binary.AppendUvarint(dst, m.Login)
		dst = binary.AppendUvarint(dst, m.Generation)
		dst = appendTime(dst, m.At)
		dst = binary.AppendVarint(dst, int64(m.Limit))
	}
	dst = appendRefusals(dst, v, s.Refusals)
	if u := &s.Suspicion; flags&hasSuspicion != 0 {
		dst = appendTime(dst, u.Since)
		dst = appendTime(dst, u.Last)
		dst = binary.AppendUvarint(dst, uint64(u.Answers))
		dst = binary.AppendUvarint(dst, uint64(len(u.Reason)))
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
	for i := range s.Refusals {
		dst = append(dst, s.Refusals[i].Reason...)
	}
	dst = append(dst, s.Suspicion.Reason...)
	for _, key := range keys {
		dst = append(dst, key...)
		dst = append(dst, t.Extra[key].Reveal()...)
	}
	return appendChecksum(dst, begin)
}

// appendRefusals appends the refusals without their reasons' texts.
func appendRefusals(dst []byte, v byte, refusals []manager.Refusal) []byte {
	if v == version3 && len(refusals) > 0 {
		dst = binary.AppendUvarint(dst, uint64(len(refusals)))
	}
	for i := range refusals {
		r := &refusals[i]
		if v == version3 {
			dst = binary.LittleEndian.AppendUint64(dst, r.Asker)
			var lost byte
			if r.Lost {
				lost = 1
			}
			dst = append(dst, lost)
		}
		dst = appendTime(dst, r.At)
		dst = binary.AppendUvarint(dst, uint64(len(r.Reason)))
	}
	return dst
}

// Decode returns the snapshot whose record data is. It keeps nothing of data. A
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

// frame checks what all versions have in common, and returns what is before the
// checksum: a version that this program reads, and at least a byte of content.
func frame(data []byte) ([]byte, error) {
	body := len(data) - checksumSize
	if body < 2 {
		return nil, fmt.Errorf("%w: %d bytes are too few", ErrDamaged, len(data))
	}
	if crc32.Checksum(data[:body], castagnoli) != binary.LittleEndian.Uint32(data[body:]) {
		return nil, fmt.Errorf("%w: wrong checksum", ErrDamaged)
	}
	if data[0] > newestVersion {
		return nil, fmt.Errorf("%w: format %d, this program reads up to %d", ErrNewer, data[0], newestVersion)
	}
	return data[:body], nil
}

// decode reads the rest of an unsealed record.
func decode(body []byte) (manager.Snapshot, error) {
	r := reader{data: body[2:], version: body[0]}
	s := r.snapshot(body[1])
	if r.failed {
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
