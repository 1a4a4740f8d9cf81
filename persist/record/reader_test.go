package record_test

import (
	"encoding/binary"
	"errors"
	"testing"

	"example.com/tokenactor/persist/record"
)

// Lengths whose sum is right in 32 bits only.
func TestLengthsBeyond32Bits(t *testing.T) {
	const texts, each = 200_000, 150_000
	var lengths []byte
	entries := 0
	for left := uint64(1<<32 + texts); left > 0; entries++ {
		n := min(left, each)
		lengths, left = binary.AppendUvarint(lengths, n), left-n
	}
	if entries%2 == 1 {
		lengths, entries = append(lengths, 0), entries+1
	}
	body := append([]byte{1, 0}, make([]byte, 8+4)...) // numbers, and the lengths before the extras
	body = binary.AppendUvarint(body, uint64(entries/2))
	body = append(append(body, lengths...), make([]byte, texts)...)
	if _, err := record.Decode(checksummed(body)); !errors.Is(err, record.ErrDamaged) {
		t.Errorf("Decode: %v, want ErrDamaged", err)
	}
}
