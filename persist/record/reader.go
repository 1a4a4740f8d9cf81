package record

import (
	"encoding/binary"
	"math"
	"slices"
	"time"

	"example.com/tokenactor/manager"
)

// A reader takes a record apart from its front. After the first mistake it
// returns zero values, so that one look at failed, at the end, is enough.
type reader struct {
	data    []byte
	version byte
	failed  bool
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
	if r.version == version3 {
		t.RefreshIn, s.Asked, s.RetryAt = r.duration(), r.hash(), r.time()
	}
	s.Mark.Guarded, s.Mark.Answered = flags&guarded != 0, flags&answered != 0
	if flags&hasMark != 0 {
		m := &s.Mark
		copy(m.Owner[:], r.take(len(m.Owner)))
		m.Attempt, m.Login, m.Generation = r.uvarint(), r.uvarint(), r.uvarint()
		m.At, m.Limit = r.time(), r.duration()
	}
	var reasons [manager.MaxRefusals]int
	if flags&hasRefusal != 0 {
		s.Refusals = r.refusals(flags, &reasons)
	}
	reason := 0
	if flags&hasSuspicion != 0 {
		s.Suspicion.Since, s.Suspicion.Last = r.time(), r.time()
		s.Suspicion.Answers, reason = r.uint32(), r.length()
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
	for _, n := range reasons {
		sum += int64(n)
	}
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
	for i := range s.Refusals {
		s.Refusals[i].Reason = cut(reasons[i])
	}
	s.Suspicion.Reason = cut(reason)
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

	// The flags and the version are those that Append takes for this snapshot, and
	// no refusal is one that it leaves out.
	if r.version != versionOf(&s) || flags != flagsOf(&s, r.version) || slices.Contains(s.Refusals, manager.Refusal{}) {
		r.fail()
	}
	return s
}

// refusals reads at least one refusal without its reason, and the lengths of the reasons.
func (r *reader) refusals(flags byte, reasons *[manager.MaxRefusals]int) []manager.Refusal {
	n := uint64(1)
	if r.version == version3 {
		n = r.uvarint()
	}
	if n < 1 || n > manager.MaxRefusals {
		r.fail()
		return nil
	}
	refusals := make([]manager.Refusal, n)
	for i := range refusals {
		f := &refusals[i]
		if r.version == version3 {
			f.Asker, f.Lost = r.hash(), r.bool()
		} else {
			f.Lost = flags&lost != 0
		}
		f.At, reasons[i] = r.time(), r.length()
	}
	return refusals
}

// scheme returns the usual types without an allocation.
func scheme(b []byte) string {
	switch string(b) {
	case "Bearer":
		return "Bearer"
	case "bearer":
		return "bearer"
	}
	return string(b)
}

// take returns the next n bytes.
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

func (r *reader) uint32() uint32 {
	v := r.uvarint()
	if v > math.MaxUint32 {
		r.fail()
		return 0
	}
	return uint32(v)
}

func (r *reader) bool() bool {
	v := r.uvarint()
	if v > 1 {
		r.fail()
	}
	return v == 1
}

// hash reads 8 bytes: as a varint most hashes would take 10.
func (r *reader) hash() uint64 {
	if b := r.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
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
