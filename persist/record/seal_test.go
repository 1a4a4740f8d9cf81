package record

import (
	"bytes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"example.com/tokenactor/manager"
)

// The vectors of c2sp.org/XAES-256-GCM: one for each value of the carry.
func TestXAES(t *testing.T) {
	for _, v := range []struct {
		key        byte
		extra, out string
	}{
		{1, "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"},
		{3, "c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"},
	} {
		gcm, nonce := xaes(bytes.Repeat([]byte{v.key}, KeySize))([]byte("ABCDEFGHIJKLMNOPQRSTUVWX"))
		if got := hex.EncodeToString(gcm.Seal(nil, nonce, []byte("XAES-256-GCM"), []byte(v.extra))); got != v.out {
			t.Errorf("key %d: sealed %s, want %s", v.key, got, v.out)
		}
	}
}

// Update says that files of testdata are written: once for each layout, and never for
// one that was released.
var Update = flag.Bool("update", false, "write testdata/version3.txt and, from it, version2of3.txt at the next run")

// testKey is a key that is the same each time: testKey(1) is that of testdata/version2.txt.
func testKey(n byte) Key {
	raw := sha256.Sum256([]byte{n})
	k, err := NewKey(raw[:])
	if err != nil {
		panic(err)
	}
	return k
}

// As TestGolden, for sealed records: version2.txt has those of version1.txt, and
// version2of3.txt those of version3.txt, each under its own name.
func TestGoldenSealed(t *testing.T) {
	goldenSealed(t, "testdata/version1.txt", "testdata/version2.txt", false)
	goldenSealed(t, "testdata/version3.txt", "testdata/version2of3.txt", *Update)
}

func goldenSealed(t *testing.T, unsealed, sealed string, update bool) {
	t.Helper()
	split := func(line string) (name string, data []byte) {
		t.Helper()
		line = strings.TrimSpace(line)
		space := strings.LastIndexByte(line, ' ')
		data, err := hex.DecodeString(line[space+1:])
		if err != nil {
			t.Fatal(err)
		}
		return line[:space], data
	}
	sealer, err := NewSealer(testKey(1))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := os.ReadFile(unsealed)
	if err != nil {
		t.Fatal(err)
	}
	var now strings.Builder
	for line := range strings.Lines(string(plain)) {
		name, data := split(line)
		snapshot, err := Decode(data)
		if err != nil {
			t.Fatal(err)
		}
		nonce := sha256.Sum256([]byte(name))
		fmt.Fprintf(&now, "%s %x\n", name, sealer.seal(nil, nonce[:nonceSize], name, snapshot))
	}
	if update {
		if err := os.WriteFile(sealed, []byte(now.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	stored, err := os.ReadFile(sealed)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := now.String(), string(stored); got != want {
		t.Errorf("%s: sealed records differ from what version 2 did:\n got %s\nwant %s", sealed, got, want)
	}
	for line := range strings.Lines(string(stored)) {
		name, data := split(line)
		s, err := sealer.Decode(name, data)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := fmt.Sprintf("%s %x\n", name, Append(nil, s)); !strings.Contains(string(plain), got) {
			t.Errorf("opened and not sealed: %s, want a line of\n%s", got, plain)
		}
	}
}

// What sealing costs, and what its alternative would: a key by HKDF for each record.
func BenchmarkSeal(b *testing.B) {
	s := manager.Snapshot{Token: manager.Token{AccessToken: manager.NewSecret(strings.Repeat("a", 200))}, Revision: 1}
	sealer, err := NewSealer(testKey(1))
	if err != nil {
		b.Fatal(err)
	}
	data := sealer.Append(nil, "name", s)
	b.Run("append", func(b *testing.B) {
		var buf []byte
		b.ReportAllocs()
		for b.Loop() {
			buf = sealer.Append(buf[:0], "name", s)
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := sealer.Decode("name", data); err != nil {
				b.Fatal(err)
			}
		}
	})
	nonce := make([]byte, nonceSize)
	b.Run("derive", func(b *testing.B) {
		derive := xaes(make([]byte, KeySize))
		b.ReportAllocs()
		for b.Loop() {
			derive(nonce)
		}
	})
	b.Run("derive by hkdf", func(b *testing.B) {
		key := make([]byte, KeySize)
		b.ReportAllocs()
		for b.Loop() {
			k, err := hkdf.Key(sha256.New, key, nonce, "", KeySize)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := cipher.NewGCM(newAES(k)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
