package record_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"math/rand/v2"
	"os"
	"reflect"
	"runtime"
	"slices"
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
		Refusals: []manager.Refusal{{At: at, Reason: "invalid_grant", Lost: true}},
	}
	return map[string]manager.Snapshot{
		"zero": {}, "plain": plain, "full": full, "tombstone": {Login: 4, Generation: 300, Revision: 70_001},
	}
}

// samples3 are the snapshots of testdata/version3.txt: each new field by itself, and all.
func samples3() map[string]manager.Snapshot {
	at := time.Date(2026, 11, 22, 20, 0, 0, 123456789, time.UTC)
	with := func(base string, change func(*manager.Snapshot)) manager.Snapshot {
		s := samples()[base]
		change(&s)
		return s
	}
	four := []manager.Refusal{
		{Asker: 1, At: at, Reason: "invalid_grant", Lost: true},
		{At: at.Add(time.Second), Reason: "token revoked"},
		{Asker: 1<<64 - 1, At: at.Add(time.Hour)},
		{Asker: 0x0123456789abcdef, At: at.Add(time.Minute), Reason: "login_required"},
	}
	suspicion := manager.Suspicion{Since: at, Last: at.Add(26 * time.Hour), Answers: 1<<32 - 1, Reason: "access_denied"}
	return map[string]manager.Snapshot{
		"asked":      with("plain", func(s *manager.Snapshot) { s.Asked = 0xfedcba9876543210 }),
		"refresh in": with("plain", func(s *manager.Snapshot) { s.Token.RefreshIn = 30 * time.Minute }),
		"retry at":   with("plain", func(s *manager.Snapshot) { s.RetryAt = at }),
		"answered":   with("full", func(s *manager.Snapshot) { s.Mark.Answered, s.Mark.Guarded = true, false }),
		"asker":      with("plain", func(s *manager.Snapshot) { s.Refusals = four[:1] }),
		"refusals":   with("plain", func(s *manager.Snapshot) { s.Refusals = four }),
		"suspected":  with("plain", func(s *manager.Snapshot) { s.Suspicion = suspicion }),
		"full": with("full", func(s *manager.Snapshot) {
			s.Token.RefreshIn, s.Asked, s.RetryAt, s.Mark.Answered = 30*time.Minute, 0xfedcba9876543210, at.Add(time.Minute), true
			s.Refusals, s.Suspicion = four, suspicion
		}),
	}
}

// golden reads testdata/version1.txt or version3.txt: a name and the record in
// hexadecimal a line.
func golden(tb testing.TB, version int) map[string][]byte {
	tb.Helper()
	text, err := os.ReadFile(fmt.Sprintf("testdata/version%d.txt", version))
	if err != nil {
		tb.Fatal(err)
	}
	records := make(map[string][]byte)
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		space := strings.LastIndexByte(line, ' ')
		if records[line[:space]], err = hex.DecodeString(line[space+1:]); err != nil {
			tb.Fatalf("line %q: %v", line, err)
		}
	}
	return records
}

// goldens are the records of all versions.
func goldens(tb testing.TB) map[string][]byte {
	tb.Helper()
	records := golden(tb, 1)
	for name, data := range golden(tb, 3) {
		records["version 3: "+name] = data
	}
	return records
}

// A record that is in somebody's store must stay readable for ever. Whoever
// changes the bytes takes a new version number and leaves these files alone.
func TestGolden(t *testing.T) {
	if *record.Update {
		var text strings.Builder
		all := samples3()
		for _, name := range slices.Sorted(maps.Keys(all)) {
			fmt.Fprintf(&text, "%s %x\n", name, record.Append(nil, all[name]))
		}
		if err := os.WriteFile("testdata/version3.txt", []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for version, snapshots := range map[int]map[string]manager.Snapshot{1: samples(), 3: samples3()} {
		stored := golden(t, version)
		if len(stored) != len(snapshots) {
			t.Errorf("version %d: %d records, want %d", version, len(stored), len(snapshots))
		}
		for name, want := range snapshots {
			got := record.Append(nil, want)
			if !bytes.Equal(got, stored[name]) {
				t.Errorf("%s: Append returns other bytes than version %d did:\n got %x\nwant %x", name, version, got, stored[name])
			}
			if int(got[0]) != version {
				t.Errorf("%s: written in version %d, want %d", name, got[0], version)
			}
			decoded, err := record.Decode(stored[name])
			if err != nil || !reflect.DeepEqual(decoded, want) {
				t.Errorf("%s: Decode = %+v, %v, want %+v", name, decoded, err, want)
			}
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
		if v.Kind() == reflect.Slice && v.Len() > 0 {
			return unset(path+"[0]", v.Index(0))
		}
		if v.IsZero() {
			return []string{path}
		}
		return nil
	}
	got := unset("Snapshot", reflect.ValueOf(samples3()["full"]))
	if want := []string{"Snapshot.Token.RefreshExpiresIn"}; !reflect.DeepEqual(got, want) {
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
		if version := data[len("before")]; version != 1 && version != 3 || (version == 3) != isNew(want) {
			t.Fatalf("seed %d, snapshot %d: written in version %d: %+v", seed, i, version, want)
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

// isNew reports whether version 1 has no place for a field of s.
func isNew(s manager.Snapshot) bool {
	old := s
	old.Token.RefreshIn, old.Asked, old.RetryAt, old.Mark.Answered, old.Suspicion = 0, 0, time.Time{}, false, manager.Suspicion{}
	if len(s.Refusals) > 0 {
		only := s.Refusals[0]
		only.Asker = 0
		old.Refusals = []manager.Refusal{only}
	}
	return !reflect.DeepEqual(old, s)
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
		s.Refusals = []manager.Refusal{{At: at(), Reason: text(), Lost: random.IntN(2) == 0}}
	}
	if random.IntN(2) == 0 {
		return s // of version 1
	}
	if random.IntN(2) == 0 {
		s.Token.RefreshIn = duration()
	}
	if random.IntN(2) == 0 {
		s.Asked = number()
	}
	if random.IntN(4) == 0 {
		s.RetryAt = at()
	}
	if random.IntN(4) == 0 {
		s.Mark.Answered = true
	}
	if random.IntN(2) == 0 {
		s.Refusals = nil
		for range random.IntN(manager.MaxRefusals + 1) {
			s.Refusals = append(s.Refusals, manager.Refusal{Asker: number(), At: at(), Reason: text(), Lost: random.IntN(2) == 0})
		}
	}
	if random.IntN(2) == 0 {
		s.Suspicion = manager.Suspicion{Since: at(), Last: at(), Answers: uint32(number()), Reason: text()}
	}
	return s
}

// Equal instants in other zones, an Extra without entries and Refusals that are zero
// are the same snapshot.
func TestOneSpelling(t *testing.T) {
	zone := time.FixedZone("", 3600)
	none := time.Time{}.In(zone)
	a := samples()["plain"]
	b := a
	b.Token.Expiry, b.Token.RefreshExpiry = a.Token.Expiry.In(zone), none
	b.Mark.At, b.RetryAt, b.Suspicion.Since, b.Suspicion.Last = none, none, none, none
	b.Refusals = []manager.Refusal{{At: none}, {}}
	b.Token.Extra = map[string]manager.Secret{}
	if got, want := record.Append(nil, b), record.Append(nil, a); !bytes.Equal(got, want) {
		t.Errorf("got  %x\nwant %x", got, want)
	}
	b.Refusals = []manager.Refusal{}
	if got, want := record.Append(nil, b), record.Append(nil, a); !bytes.Equal(got, want) {
		t.Errorf("no refusals: got  %x\nwant %x", got, want)
	}
	a, b = samples3()["full"], samples3()["full"]
	b.RetryAt, b.Suspicion.Since, b.Suspicion.Last = a.RetryAt.In(zone), a.Suspicion.Since.In(zone), a.Suspicion.Last.In(zone)
	for i := range b.Refusals {
		b.Refusals[i].At = b.Refusals[i].At.In(zone)
	}
	if got, want := record.Append(nil, b), record.Append(nil, a); !bytes.Equal(got, want) {
		t.Errorf("version 3: got  %x\nwant %x", got, want)
	}
}

// Of too many refusals the last ones are stored, and what the caller passed is as it was.
func TestTooManyRefusals(t *testing.T) {
	s := samples()["plain"]
	for i := range manager.MaxRefusals + 3 {
		s.Refusals = append(s.Refusals, manager.Refusal{Asker: uint64(i), At: time.Unix(int64(i), 0).UTC(), Reason: fmt.Sprint(i)}, manager.Refusal{})
	}
	passed := slices.Clone(s.Refusals)
	got, err := record.Decode(record.Append(nil, s))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(s.Refusals, passed) {
		t.Errorf("Append changed the refusals to %v, want %v", s.Refusals, passed)
	}
	want := slices.DeleteFunc(passed, manager.Refusal.IsZero)
	if want = want[len(want)-manager.MaxRefusals:]; !slices.Equal(got.Refusals, want) {
		t.Errorf("refusals %v, want %v", got.Refusals, want)
	}
}

// Every shortened record and every flipped bit is noticed.
func TestDamaged(t *testing.T) {
	for name, data := range goldens(t) {
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
	_, err := record.Decode(checksummed([]byte("\x04 laid out as nobody knows yet")))
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
	// Of version 3: refresh in, asked, retry at; a refusal of asker 1 without its time
	// and reason; the lengths of the texts and the number of extras.
	const none, asked = "\x00" + "\x00\x00\x00\x00\x00\x00\x00\x00" + "\x00\x00", "\x00" + "\x01\x00\x00\x00\x00\x00\x00\x00" + "\x00\x00"
	const refusal = "\x01\x00\x00\x00\x00\x00\x00\x00" + "\x00" + "\x05\x00" + "\x00"
	const texts = "\x00\x00\x00\x00" + "\x00"
	for name, body := range map[string]string{
		"version 0":           "\x00\x00" + numbers + "\x00\x00\x00\x00" + "\x00",
		"unknown flag":        "\x01\x40" + numbers + "\x00\x00\x00\x00" + "\x00",
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

		"answered, version 1":            "\x01\x11" + numbers + mark + texts,
		"suspicion, version 1":           "\x01\x20" + numbers + "\x01\x00\x00\x00\x00\x00" + texts,
		"version 3, nothing new":         "\x03\x00" + numbers + none + texts,
		"version 3, a mark, nothing new": "\x03\x01" + numbers + none + mark + texts,
		"version 3, one old refusal":     "\x03\x04" + numbers + none + "\x01" + "\x00" + refusal[1:] + texts,
		"version 3, unknown flag":        "\x03\x40" + numbers + asked + texts,
		"version 3, answered, no mark":   "\x03\x10" + numbers + asked + texts,
		"version 3, flag lost":           "\x03\x0c" + numbers + asked + "\x01" + refusal + texts,
		"version 3, no refusal":          "\x03\x04" + numbers + asked + "\x00" + texts,
		"version 3, five refusals":       "\x03\x04" + numbers + asked + "\x05" + strings.Repeat(refusal, 5) + texts,
		"version 3, long number":         "\x03\x04" + numbers + asked + "\x81\x00" + refusal + texts,
		"version 3, a zero refusal":      "\x03\x04" + numbers + asked + "\x02" + refusal + strings.Repeat("\x00", len(refusal)) + texts,
		"version 3, lost twice":          "\x03\x04" + numbers + asked + "\x01" + refusal[:8] + "\x02" + refusal[9:] + texts,
		"version 3, refusals cut short":  "\x03\x04" + numbers + asked + "\x04" + refusal,
		"version 3, hash cut short":      "\x03\x00" + numbers + asked[:5],
		"version 3, zero suspicion":      "\x03\x20" + numbers + asked + strings.Repeat("\x00", 6) + texts,
		"version 3, 2^32 answers":        "\x03\x20" + numbers + asked + "\x01\x00\x01\x00" + "\x80\x80\x80\x80\x10" + "\x00" + texts,
		"version 3, reason missing":      "\x03\x04" + numbers + asked + "\x01" + refusal[:11] + "\x01" + texts,
		"version 3, reason left over":    "\x03\x04" + numbers + asked + "\x01" + refusal + texts + "a",
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

		"asked":         "\x03\x00" + numbers + asked + texts,
		"answered":      "\x03\x11" + numbers + none + mark + texts,
		"refusal":       "\x03\x04" + numbers + none + "\x01" + refusal + texts,
		"four refusals": "\x03\x04" + numbers + none + "\x04" + strings.Repeat(refusal, 4) + texts,
		"lost":          "\x03\x04" + numbers + none + "\x01" + refusal[:8] + "\x01" + refusal[9:] + texts,
		"suspicion":     "\x03\x20" + numbers + none + "\x01\x00\x01\x00" + "\xff\xff\xff\xff\x0f" + "\x01" + texts + "a",
		"reason":        "\x03\x04" + numbers + none + "\x01" + refusal[:11] + "\x01" + texts + "a",
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
		"\x01\x00" + numbers + huge + "\x00\x00\x00\x00", "\x01\x00" + numbers + "\x00" + huge + "\x00\x00\x00",
		"\x01\x00" + numbers + "\x00\x00\x00\x00" + huge,
		"\x01\x00" + numbers + "\x00\x00\x00\x00" + "\xff\xff\x03" + strings.Repeat("\x00", 2*0xffff),  // a map of as many extras
		"\x03\x04" + numbers + strings.Repeat("\x00", 11) + huge,                                       // as many refusals
		"\x03\x04" + numbers + strings.Repeat("\x00", 11) + "\x04" + strings.Repeat("\x00", 11) + huge, // a reason
		"\x03\x20" + numbers + strings.Repeat("\x00", 11) + "\x01\x00\x01\x00\x01" + huge,
	} {
		data := checksummed([]byte(lie))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := record.Decode(data)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, record.ErrDamaged) {
			t.Errorf("% x: error %v, want ErrDamaged", lie[:16], err)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > 64<<10 {
			t.Errorf("% x: %d bytes allocated", lie[:16], got)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, data := range goldens(f) {
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

type benchmarkCase struct {
	name string
	s    manager.Snapshot
}

// benchmarked are two snapshots of version 1 and two of version 3.
func benchmarked() []benchmarkCase {
	return []benchmarkCase{
		{"plain", samples()["plain"]}, {"full", samples()["full"]}, {"asked", samples3()["asked"]}, {"full3", samples3()["full"]},
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, c := range benchmarked() {
		b.Run(c.name, func(b *testing.B) {
			data := record.Append(nil, c.s)
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

// A plain token of OAuth, which says what was asked for, costs no more allocations
// than one that does not.
func TestAllocations(t *testing.T) {
	count := func(s manager.Snapshot) float64 {
		data := record.Append(nil, s)
		return testing.AllocsPerRun(100, func() {
			if _, err := record.Decode(data); err != nil {
				t.Fatal(err)
			}
		})
	}
	plain := count(samples()["plain"])
	for name, more := range map[string]float64{"asked": 0, "refresh in": 0, "retry at": 0, "suspected": 1, "refusals": 2} { // reasons; and a slice
		if got := count(samples3()[name]); got > plain+more {
			t.Errorf("Decode of %s: %v allocations, want %v at most", name, got, plain+more)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, c := range benchmarked() {
		b.Run(c.name, func(b *testing.B) {
			var buf []byte
			b.ReportAllocs()
			for b.Loop() {
				buf = record.Append(buf[:0], c.s)
			}
		})
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
