package record

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"example.com/tokenactor/manager"
)

// KeySize is the length of a Key, 32 bytes.
const KeySize = 32

// A Key seals records. It is 32 random bytes, no password: nothing here makes
// guessing it slow. Like a manager.Secret it hides in every way of printing; only
// Reveal returns it. The zero Key is the absent one. Keys are immutable and may
// be shared.
type Key struct{ raw manager.Secret }

// NewKey makes a Key of 32 random bytes. It keeps nothing of raw.
func NewKey(raw []byte) (Key, error) {
	var ones byte
	text := true
	for _, b := range raw {
		ones |= b
		text = text && ' ' <= b && b <= '~'
	}
	switch {
	case len(raw) != KeySize:
		return Key{}, fmt.Errorf("record: a key of %d bytes: give it %d random ones", len(raw), KeySize)
	case ones == 0:
		return Key{}, errors.New("record: a key of zeros only: fill it with random bytes")
	case text:
		// By chance once in 10^13 keys. Far more often it is a password, or
		// a shorter key in hexadecimal, and seals for less than it seems to.
		return Key{}, fmt.Errorf("record: the key consists of letters: give it %d random bytes, or those in hexadecimal or base64", KeySize)
	}
	return Key{manager.NewSecret(string(raw))}, nil
}

// ParseKey reads a key of 32 bytes written in hexadecimal or in base64, in either
// alphabet, padded or not. Space around it does not count. The error never holds
// the text.
func ParseKey(text string) (Key, error) {
	text = strings.TrimSpace(text)
	if raw, err := hex.DecodeString(text); err == nil {
		return NewKey(raw)
	}
	plain := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(text, "="))
	raw, err := base64.RawStdEncoding.DecodeString(plain)
	if err != nil { // its text would say at which byte, and so something of the key
		return Key{}, fmt.Errorf("record: a key of %d characters is neither hexadecimal nor base64: write %d random bytes in one of these",
			len(text), KeySize)
	}
	return NewKey(raw)
}

// RandomKey makes a new key. Reveal writes it in the form that ParseKey reads.
func RandomKey() Key {
	raw := make([]byte, KeySize)
	rand.Read(raw) // it never fails
	return Key{manager.NewSecret(string(raw))}
}

// IsZero reports whether there is no key.
func (k Key) IsZero() bool { return k.raw.IsZero() }

// Reveal returns the key itself in base64: to put it where keys are kept, never
// into a log.
func (k Key) Reveal() string {
	return base64.StdEncoding.EncodeToString([]byte(k.raw.Reveal()))
}

// ID tells keys apart in logs and errors. It says nothing of the key, and stands
// in each record that the key seals. The zero Key has "".
func (k Key) ID() string {
	if k.IsZero() {
		return ""
	}
	id := k.id()
	return hex.EncodeToString(id[:])
}

// A keyID is what a sealed record says of its key.
type keyID [8]byte

func (k Key) id() (id keyID) {
	copy(id[:], k.derive("tokenactor record key id", len(id)))
	return id
}

// derive returns n bytes for one purpose, so that no two uses of a key meet.
func (k Key) derive(purpose string, n int) []byte {
	out, err := hkdf.Key(sha256.New, []byte(k.raw.Reveal()), nil, purpose, n)
	if err != nil {
		panic(err) // of a length beyond 8 KB only
	}
	return out
}

// String names the key by its ID.
func (k Key) String() string {
	if k.IsZero() {
		return ""
	}
	return "key " + k.ID()
}

// Format prints the ID for every verb.
func (k Key) Format(f fmt.State, verb rune) {
	if verb == 'v' && f.Flag('#') {
		fmt.Fprintf(f, "record.Key(%q)", k.String())
		return
	}
	_, _ = f.Write([]byte(k.String()))
}

// MarshalText returns the ID, so that JSON, XML and logs show no key.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText is ParseKey, for configuration files.
func (k *Key) UnmarshalText(text []byte) (err error) {
	*k, err = ParseKey(string(text))
	return err
}

// LogValue shows the ID to log/slog.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }
