package record

import (
	"encoding/binary"
	"time"

	"example.com/tokenactor/manager"
)

// A reader takes a record apart from its front. After the first mistake it
// gives zero values, so that one look at failed, at the end, is enough.
type reader struct {
	data   []byte
	failed bool
}

func (r *reader) fail() {
	r.data, r.failed = nil, true
}

// snapshot reads all that follows the flags. It accepts only what Append writes:
// a second spelling of one snapshot could hide a mistake in either.
func (r *reader) snapshot(flags byte) (s manager.Snapshot) {
	s.Revision, s.Login, s.Generation = r.uvarint(), r.uvarint(), r.uvarint()
	t := &s.Token
	t.Expiry, t.ExpiresIn, t.RefreshExpiry = r.time(), r.duration(), r.time()

	s.Mark.Guarded, s.Refusal.Lost = flags&guarded != 0, flags&lost != 0
	if flags&hasMark != 0 {
		m := &s.Mark
		copy(m.Owner[:], r.take(len(m.Owner)))
		m.Attempt, m.Login, m.Generation = r.uvarint(), r.uvarint(), r.uvarint()
		m.At, m.Limit = r.time(), r.duration()
	}
	reason := 0
	if flags&hasRefusal != 0 {
		s.Refusal.At, reason = r.time(), r.length()
	}
	typ, access, refresh, scope := r.length(), r.length(), r.length(), r.length()

	// Each extra has two lengths of a byte at least: no number beyond that is
	// believed, nor are the lengths before they add up to what is there.
	extras := r.length()
	if extras > len(r.data)/2 {
		r.fail()
		return s
	}
	pairs := *r
	sum := int64(typ) + int64(access) + int64(refresh) + int64(scope) + int64(reason) // of 32 bits it could overflow
	for range 2 * extras {
		sum += int64(r.length())
	}
	if r.failed || sum != int64(len(r.data)) {
		r.fail()
		return s
	}

	t.Type = scheme(r.take(typ))
	// The access token has a string to itself, since the manager replaces it
	// by a part of the header's; the other texts share one: one allocation
	// in place of four, and no copy of the access token kept alive by them.
	t.AccessToken = manager.NewSecret(string(r.take(access)))
	rest := string(r.data)
	cut := func(n int) string {
		text := rest[:n]
		rest = rest[n:]
		return text
	}
	if refresh > 0 { // NewSecret allocates for the absent one as well
		t.RefreshToken = manager.NewSecret(cut(refresh))
	}
	t.Scope = cut(scope)
	s.Refusal.Reason = cut(reason)
	if extras > 0 {
		t.Extra = make(map[string]manager.Secret, min(extras, 16))
	}
	for i, last := 0, ""; i < extras; i++ {
		key, value := cut(pairs.length()), cut(pairs.length())
		if i > 0 && key <= last {
			r.fail()
			return s
		}
		t.Extra[key], last = manager.NewSecret(value), key
	}

	noMark, noRefusal := s.Mark == manager.Mark{}, s.Refusal == manager.Refusal{}
	if flags&^knownFlags != 0 || noMark == (flags&hasMark != 0) || noRefusal == (flags&hasRefusal != 0) {
		r.fail()
	}
	return s
}

// scheme gives the usual types without an allocation.
func scheme(b []byte) string {
	switch string(b) {
	case "Bearer":
		return "Bearer"
	case "bearer":
		return "bearer"
	}
	return string(b)
}

// take gives the next n bytes.
func (r *reader) take(n int) []byte {
	if n > len(r.data) {
		r.fail()
		return nil
	}
	b := r.data[:n]
	r.data = r.data[n:]
	return b
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.data)
	if n <= 0 || n > 1 && r.data[n-1] == 0 {
		r.fail()
		return 0
	}
	r.data = r.data[n:]
	return v
}

// length reads a length or a number of parts: never more than the bytes left.
func (r *reader) length() int {
	v := r.uvarint()
	if v > uint64(len(r.data)) {
		r.fail()
		return 0
	}
	return int(v)
}

func (r *reader) duration() time.Duration {
	v := r.uvarint()
	return time.Duration(v>>1) ^ -time.Duration(v&1)
}

func (r *reader) time() time.Time {
	seconds, nanos := int64(r.uvarint())+yearOne, r.uvarint()
	if nanos >= uint64(time.Second) {
		r.fail()
		return time.Time{}
	}
	return time.Unix(seconds, int64(nanos)).UTC()
}
