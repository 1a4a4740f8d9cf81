package record_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist/record"
)

// samples are the snapshots of testdata/version1.txt.
func samples() map[string]manager.Snapshot {
	at := time.Date(2026, 11, 22, 20, 0, 0, 123456789, time.UTC)
	plain := manager.Snapshot{
		Token:    manager.Token{AccessToken: manager.NewSecret("access"), Expiry: at},
		Login:    1,
		Revision: 1, Generation: 1,
	}
	full := manager.Snapshot{
		Token: manager.Token{
			AccessToken:   manager.NewSecret("access"),
			RefreshToken:  manager.NewSecret("refresh"),
			Type:          "DPoP",
			Expiry:        at,
			ExpiresIn:     time.Hour,
			RefreshExpiry: at.Add(720 * time.Hour),
			Scope:         "read write",
			Extra: map[string]manager.Secret{
				"user": manager.NewSecret("u1"), "id_token": manager.NewSecret("x.y.z"), "none": {},
			},
		},
		Login: 3, Generation: 300, Revision: 70_000,
		Mark: manager.Mark{
			Owner: [16]byte{0: 1, 15: 255}, Attempt: 7, Login: 3, Generation: 299,
			At: at, Limit: 30 * time.Second, Guarded: true,
		},
		Refusal: manager.Refusal{At: at, Reason: "invalid_grant", Lost: true},
	}
	return map[string]manager.Snapshot{
		"zero": {}, "plain": plain, "full": full, "tombstone": {Login: 4, Generation: 300, Revision: 70_001},
	}
}

// golden reads testdata/version1.txt: a name and the record in hexadecimal a line.
func golden(tb testing.TB) map[string][]byte {
	tb.Helper()
	text, err := os.ReadFile("testdata/version1.txt")
	if err != nil {
		tb.Fatal(err)
	}
	records := make(map[string][]byte)
	for line := range strings.Lines(string(text)) {
		name, digits, _ := strings.Cut(strings.TrimSpace(line), " ")
		if records[name], err = hex.DecodeString(digits); err != nil {
			tb.Fatalf("line %q: %v", line, err)
		}
	}
	return records
}

// A record that is in somebody's store must stay readable for ever. Whoever
// changes the bytes takes a new version number and leaves this file alone.
func TestGolden(t *testing.T) {
	stored := golden(t)
	for name, want := range samples() {
		if got := record.Append(nil, want); !bytes.Equal(got, stored[name]) {
			t.Errorf("%s: Append gives other bytes than version 1 did:\n got %x\nwant %x", name, got, stored[name])
		}
		got, err := record.Decode(stored[name])
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: Decode = %+v, %v, want %+v", name, got, err, want)
		}
	}
}

// The golden file proves that each field is written only if each is set there.
func TestSampleSetsEveryField(t *testing.T) {
	var unset func(path string, v reflect.Value) []string
	unset = func(path string, v reflect.Value) (paths []string) {
		if v.Kind() == reflect.Struct && v.Type() != reflect.TypeFor[time.Time]() && v.Type() != reflect.TypeFor[manager.Secret]() {
			for i := range v.NumField() {
				if f := v.Type().Field(i); f.IsExported() {
					paths = append(paths, unset(path+"."+f.Name, v.Field(i))...)
				}
			}
			return paths
		}
		if v.IsZero() {
			return []string{path}
		}
		return nil
	}
	got := unset("Snapshot", reflect.ValueOf(samples()["full"]))
	if want := []string{"Snapshot.Token.RefreshIn", "Snapshot.Token.RefreshExpiresIn"}; !reflect.DeepEqual(got, want) {
		t.Errorf("fields not set: %v, want %v: a new field needs a place in the record", got, want)
	}
}

func TestRoundTrip(t *testing.T) {
	const seed = 1
	random := rand.New(rand.NewPCG(seed, seed))
	for i := range 5000 {
		want := randomSnapshot(random)
		data := record.Append([]byte("before"), want)
		if !bytes.HasPrefix(data, []byte("before")) {
			t.Fatalf("seed %d, snapshot %d: Append changed what was there: %q", seed, i, data[:6])
		}
		got, err := record.Decode(data[len("before"):])
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d, snapshot %d: Decode = %+v, %v, want %+v", seed, i, got, err, want)
		}
		if again := record.Append(nil, got); !bytes.Equal(again, data[len("before"):]) {
			t.Fatalf("seed %d, snapshot %d: bytes differ the second time:\n got %x\nwant %x", seed, i, again, data[6:])
		}
	}
}

func randomSnapshot(random *rand.Rand) manager.Snapshot {
	text := func() string {
		b := make([]byte, random.IntN(4)*random.IntN(100))
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		return string(b)
	}
	number := func() uint64 { return random.Uint64() >> random.IntN(65) }
	duration := func() time.Duration { return time.Duration(number()) }
	at := func() time.Time {
		return time.Unix(int64(number()), random.Int64N(2)*random.Int64N(1e9)).UTC()
	}
	var s manager.Snapshot
	s.Login, s.Generation, s.Revision = number(), number(), number()
	s.Token = manager.Token{
		AccessToken: manager.NewSecret(text()), RefreshToken: manager.NewSecret(text()), Type: text(), Scope: text(),
		Expiry: at(), ExpiresIn: duration(), RefreshExpiry: at(),
	}
	for range random.IntN(4) {
		if s.Token.Extra == nil {
			s.Token.Extra = make(map[string]manager.Secret)
		}
		s.Token.Extra[text()] = manager.NewSecret(text())
	}
	if random.IntN(2) == 0 {
		s.Mark = manager.Mark{Attempt: number(), Login: number(), Generation: number(), At: at(), Limit: duration(), Guarded: random.IntN(2) == 0}
		binary.LittleEndian.PutUint64(s.Mark.Owner[:], number())
	}
	if random.IntN(2) == 0 {
		s.Refusal = manager.Refusal{At: at(), Reason: text(), Lost: random.IntN(2) == 0}
	}
	return s
}

// Equal instants in other zones, and an Extra without entries, are the same snapshot.
func TestOneSpelling(t *testing.T) {
	zone := time.FixedZone("", 3600)
	a := samples()["plain"]
	b := a
	b.Token.Expiry, b.Token.RefreshExpiry = a.Token.Expiry.In(zone), time.Time{}.In(zone)
	b.Mark.At, b.Refusal.At = time.Time{}.In(zone), time.Time{}.In(zone)
	b.Token.Extra = map[string]manager.Secret{}
	if got, want := record.Append(nil, b), record.Append(nil, a); !bytes.Equal(got, want) {
		t.Errorf("got  %x\nwant %x", got, want)
	}
}

// Every shortened record and every flipped bit is noticed.
func TestDamaged(t *testing.T) {
	for name, data := range golden(t) {
		for n := range data {
			if _, err := record.Decode(data[:n]); !errors.Is(err, record.ErrDamaged) {
				t.Errorf("%s: the first %d of %d bytes: error %v, want ErrDamaged", name, n, len(data), err)
			}
		}
		for bit := range 8 * len(data) {
			flipped := bytes.Clone(data)
			flipped[bit/8] ^= 1 << (bit % 8)
			if _, err := record.Decode(flipped); !errors.Is(err, record.ErrDamaged) {
				t.Errorf("%s: bit %d flipped: error %v, want ErrDamaged", name, bit, err)
			}
		}
	}
	for _, data := range [][]byte{nil, make([]byte, 4), make([]byte, 4096)} {
		if _, err := record.Decode(data); !errors.Is(err, record.ErrDamaged) {
			t.Errorf("%d zero bytes: error %v, want ErrDamaged", len(data), err)
		}
	}
}

func TestNewer(t *testing.T) {
	_, err := record.Decode(checksummed([]byte("\x03 laid out as nobody knows yet")))
	if !errors.Is(err, record.ErrNewer) {
		t.Errorf("error %v, want ErrNewer", err)
	}
	if errors.Is(err, record.ErrDamaged) {
		t.Errorf("error %v is ErrDamaged too", err)
	}
}

func checksummed(body []byte) []byte {
	sum := crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli))
	return binary.LittleEndian.AppendUint32(bytes.Clone(body), sum)
}

// A second spelling of a snapshot is refused, whatever its checksum says.
func TestMalformed(t *testing.T) {
	const numbers = "\x00\x00\x00" + "\x00\x00" + "\x00" + "\x00\x00" // revision to refresh expiry
	const mark = "0123456789abcdef" + "\x01\x00\x00" + "\x00\x00" + "\x00"
	for name, body := range map[string]string{
		"version 0":           "\x00\x00" + numbers + "\x00\x00\x00\x00" + "\x00",
		"unknown flag":        "\x01\x10" + numbers + "\x00\x00\x00\x00" + "\x00",
		"long varint":         "\x01\x00" + "\x80\x00" + numbers[1:] + "\x00\x00\x00\x00" + "\x00",
		"varint of 70 bits":   "\x01\x00" + "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f" + numbers[1:] + "\x00\x00\x00\x00" + "\x00",
		"second of 1e9 ns":    "\x01\x00" + "\x00\x00\x00" + "\x00\x80\x94\xeb\xdc\x03" + numbers[5:] + "\x00\x00\x00\x00" + "\x00",
		"zero mark":           "\x01\x01" + numbers + strings.Repeat("\x00", 22) + "\x00\x00\x00\x00" + "\x00",
		"guarded, no mark":    "\x01\x02" + numbers + "\x00\x00\x00\x00" + "\x00",
		"mark, cut short":     "\x01\x01" + numbers + mark[:10],
		"zero refusal":        "\x01\x04" + numbers + "\x00\x00\x00" + "\x00\x00\x00\x00" + "\x00",
		"lost, no refusal":    "\x01\x08" + numbers + "\x00\x00\x00\x00" + "\x00",
		"text missing":        "\x01\x00" + numbers + "\x00\x01\x00\x00" + "\x00",
		"text left over":      "\x01\x00" + numbers + "\x00\x01\x00\x00" + "\x00" + "ab",
		"extras out of order": "\x01\x00" + numbers + "\x00\x00\x00\x00" + "\x02\x01\x00\x01\x00" + "ba",
		"extras twice":        "\x01\x00" + numbers + "\x00\x00\x00\x00" + "\x02\x01\x00\x01\x00" + "aa",
		"extras missing":      "\x01\x00" + numbers + "\x00\x00\x00\x00" + "\x03\x01\x00",
	} {
		if s, err := record.Decode(checksummed([]byte(body))); !errors.Is(err, record.ErrDamaged) {
			t.Errorf("%s: Decode(% x) = %+v, %v, want ErrDamaged", name, body, s, err)
		}
	}
	// The same frame without a mistake is a record: the cases fail for their own reasons.
	for name, body := range map[string]string{
		"plain":  "\x01\x00" + numbers + "\x00\x01\x00\x00" + "\x00" + "a",
		"mark":   "\x01\x01" + numbers + mark + "\x00\x00\x00\x00" + "\x00",
		"extras": "\x01\x00" + numbers + "\x00\x00\x00\x00" + "\x02\x01\x00\x01\x00" + "ab",
	} {
		if _, err := record.Decode(checksummed([]byte(body))); err != nil {
			t.Errorf("%s: Decode(% x): %v", name, body, err)
		}
	}
}

// A length that promises more than is there costs no memory.
func TestLyingLength(t *testing.T) {
	const numbers = "\x00\x00\x00" + "\x00\x00" + "\x00" + "\x00\x00"
	const huge = "\xff\xff\xff\xff\xff\xff\xff\xff\x7f"
	for _, lie := range []string{
		huge + "\x00\x00\x00\x00", "\x00" + huge + "\x00\x00\x00", "\x00\x00\x00\x00" + huge,
		"\x00\x00\x00\x00" + "\xff\xff\x03" + strings.Repeat("\x00", 2*0xffff), // a map of as many extras
	} {
		data := checksummed([]byte("\x01\x00" + numbers + lie))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := record.Decode(data)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, record.ErrDamaged) {
			t.Errorf("length % x: error %v, want ErrDamaged", lie[:10], err)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > 64<<10 {
			t.Errorf("length % x: %d bytes allocated", lie[:10], got)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, data := range golden(f) {
		f.Add(data[:len(data)-4])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		_, _ = record.Decode(body)
		data := checksummed(body) // so that the fuzzer gets behind the checksum
		s, err := record.Decode(data)
		if err != nil {
			if !errors.Is(err, record.ErrDamaged) && !errors.Is(err, record.ErrNewer) && !errors.Is(err, record.ErrKey) {
				t.Fatalf("Decode(% x): error %v is none of the package's", data, err)
			}
			return
		}
		if got := record.Append(nil, s); !bytes.Equal(got, data) {
			t.Fatalf("decoded and encoded again:\n got % x\nwant % x", got, data)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	for _, name := range []string{"plain", "full"} {
		b.Run(name, func(b *testing.B) {
			data := record.Append(nil, samples()[name])
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := record.Decode(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	s := samples()["full"]
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = record.Append(buf[:0], s)
	}
}

func ExampleDecode() {
	data := record.Append(nil, manager.Snapshot{
		Token: manager.Token{AccessToken: manager.NewSecret("a1")},
		Login: 1, Generation: 1, Revision: 1,
	})

	s, err := record.Decode(data)
	fmt.Println(s.Token.AccessToken.Reveal(), s.Revision, err)

	_, err = record.Decode(data[:10])
	fmt.Println(errors.Is(err, record.ErrDamaged))
	// Output:
	// a1 1 <nil>
	// true
}
