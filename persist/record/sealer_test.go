package record_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist/record"
)

// testKey is a key that is the same each time.
func testKey(n byte) record.Key {
	raw := sha256.Sum256([]byte{n})
	k, err := record.NewKey(raw[:])
	if err != nil {
		panic(err)
	}
	return k
}

func newSealer(tb testing.TB, key record.Key, old ...record.Key) *record.Sealer {
	tb.Helper()
	s, err := record.NewSealer(key, old...)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func TestSealedRoundTrip(t *testing.T) {
	const seed = 1
	random := rand.New(rand.NewPCG(seed, seed))
	sealer := newSealer(t, testKey(1))
	for i := range 500 {
		want, name := randomSnapshot(random), fmt.Sprint("name ", i)
		data := sealer.Append([]byte("before"), name, want)
		if !bytes.HasPrefix(data, []byte("before")) {
			t.Fatalf("seed %d, snapshot %d: Append changed what was there: %q", seed, i, data[:6])
		}
		got, err := sealer.Decode(name, data[len("before"):])
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d, snapshot %d: Decode = %+v, %v, want %+v", seed, i, got, err, want)
		}
		if again := sealer.Append(nil, name, want); bytes.Equal(again, data[len("before"):]) {
			t.Fatalf("seed %d, snapshot %d: sealed twice to the same bytes: %x", seed, i, again)
		}
	}
}

// No sealed record shows a text of its token, nor has one of its revisions.
func TestSealedShowsNothing(t *testing.T) {
	data := newSealer(t, testKey(1)).Append(nil, "name", samples3()["full"])
	// No shorter ones: random bytes contain those by chance.
	for _, text := range []string{"access", "refresh", "DPoP", "read write", "x.y.z", "id_token", "user", "invalid_grant", "login_required", "access_denied", "name"} {
		if bytes.Contains(data, []byte(text)) {
			t.Errorf("the sealed record shows %q: %q", text, data)
		}
	}
}

// Every shortened record and every flipped bit is noticed; one that was moved to
// another name, or whose checksum was made right, as well.
func TestSealedDamaged(t *testing.T) {
	sealer := newSealer(t, testKey(1))
	data := sealer.Append(nil, "name", samples()["plain"])
	check := func(what, name string, data []byte, want error) {
		t.Helper()
		if s, err := sealer.Decode(name, data); !errors.Is(err, want) {
			t.Errorf("%s: Decode = %v, %v, want %v", what, s, err, want)
		}
	}
	for n := range data {
		check(fmt.Sprintf("%d bytes of %d", n, len(data)), "name", data[:n], record.ErrDamaged)
	}
	for bit := range 8 * (len(data) - 4) {
		flipped := bytes.Clone(data)
		flipped[bit/8] ^= 1 << (bit % 8)
		check(fmt.Sprintf("bit %d flipped", bit), "name", flipped, record.ErrDamaged)

		want := record.ErrDamaged
		switch at := bit / 8; {
		case at == 0 && flipped[0] > 3:
			want = record.ErrNewer
		case at == 0:
			want = record.ErrUnsealed
		case at <= 8:
			want = record.ErrKey
		}
		check(fmt.Sprintf("bit %d flipped, checksum made right", bit), "name", checksummed(flipped[:len(data)-4]), want)
	}
	for _, name := range []string{"", "nam", "name2", "other"} {
		check("moved to "+name, name, data, record.ErrDamaged)
	}
	check("too short for a seal", "name", checksummed(data[:40]), record.ErrDamaged)
}

// What another key sealed is not damaged, and the error says which key it needs.
func TestSealedWithAnotherKey(t *testing.T) {
	data := newSealer(t, testKey(1)).Append(nil, "name", samples()["plain"])
	for what, decode := range map[string]func() (manager.Snapshot, error){
		"another key":  func() (manager.Snapshot, error) { return newSealer(t, testKey(2)).Decode("name", data) },
		"a nil Sealer": func() (manager.Snapshot, error) { return (*record.Sealer)(nil).Decode("name", data) },
		"no Sealer":    func() (manager.Snapshot, error) { return record.Decode(data) },
	} {
		s, err := decode()
		if !errors.Is(err, record.ErrKey) || errors.Is(err, record.ErrDamaged) || !strings.Contains(fmt.Sprint(err), testKey(1).ID()) {
			t.Errorf("%s: %v, %v, want ErrKey and the ID of the right one", what, s, err)
		}
	}
}

// Whoever writes to a store could put in an unsealed record otherwise.
func TestUnsealed(t *testing.T) {
	for name, want := range map[string]manager.Snapshot{"version 1": samples()["full"], "version 3": samples3()["full"]} {
		t.Run(name, func(t *testing.T) { unsealed(t, want) })
	}
}

func unsealed(t *testing.T, want manager.Snapshot) {
	data := record.Append(nil, want)
	sealer := newSealer(t, testKey(1))
	if s, err := sealer.Decode("name", data); !errors.Is(err, record.ErrUnsealed) {
		t.Errorf("Decode of an unsealed record: %v, %v, want ErrUnsealed", s, err)
	}
	sealer.AcceptUnsealed = true
	if got, err := sealer.Decode("name", data); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("with AcceptUnsealed: %v, %v, want %v", got, err, want)
	}
	if !(*record.Sealer)(nil).Current(data) || sealer.Current(data) || sealer.Current(nil) {
		t.Error("Current: an unsealed record is so for a nil Sealer only")
	}
}

func TestRotation(t *testing.T) {
	old, now := newSealer(t, testKey(1)), newSealer(t, testKey(2), testKey(1))
	data := old.Append(nil, "name", samples()["plain"])
	s, err := now.Decode("name", data)
	if err != nil {
		t.Fatalf("a record of the old key: %v", err)
	}
	if now.Current(data) || !old.Current(data) {
		t.Error("Current: the record is so for its own key only")
	}
	data = now.Append(nil, "name", s)
	if _, err := newSealer(t, testKey(2)).Decode("name", data); err != nil || !now.Current(data) {
		t.Errorf("sealed anew: %v, current %v, want the new key to be enough", err, now.Current(data))
	}
	if got, want := now.KeyIDs(), []string{testKey(2).ID(), testKey(1).ID()}; !reflect.DeepEqual(got, want) {
		t.Errorf("KeyIDs = %q, want %q", got, want)
	}
}

// Revision is that of the snapshot in each form of a record.
func TestRevision(t *testing.T) {
	for name, s := range map[string]manager.Snapshot{"version 1": samples()["full"], "version 3": samples3()["full"]} {
		for _, sealer := range []*record.Sealer{nil, newSealer(t, testKey(1))} {
			data := sealer.Append(nil, name, s)
			if got, err := sealer.Revision(name, data); got != s.Revision || err != nil {
				t.Errorf("%s, %v: Revision = %d, %v, want %d", name, sealer, got, err, s.Revision)
			}
		}
		data := record.Append(nil, s)
		if n := testing.AllocsPerRun(10, func() { _, _ = (*record.Sealer)(nil).Revision(name, data) }); n > 0 {
			t.Errorf("%s: Revision of an unsealed record: %v allocations, want 0", name, n)
		}
	}
}

func TestNewSealerWithoutKey(t *testing.T) {
	for _, keys := range [][]record.Key{{{}}, {{}, testKey(1)}, {testKey(1), {}}} {
		if s, err := record.NewSealer(keys[0], keys[1:]...); err == nil {
			t.Errorf("NewSealer of %v = %v, want an error", keys, s)
		}
	}
}

// Invariant 11, scenario 28: no way of printing shows a key.
func TestScenario28KeysAreHidden(t *testing.T) {
	raw := sha256.Sum256([]byte{1})
	key := testKey(1)
	type inside struct {
		key    record.Key
		keys   []record.Key
		byName map[string]record.Key
		sealer *record.Sealer
		value  record.Sealer
		any    any
	}
	sealer := newSealer(t, key, testKey(2))
	for _, v := range []any{key, &key, []record.Key{key}, sealer, *sealer,
		inside{key, []record.Key{key}, map[string]record.Key{"a": key}, sealer, *sealer, key},
		&inside{key, []record.Key{key}, map[string]record.Key{"a": key}, sealer, *sealer, sealer},
		struct{ Key record.Key }{key}} {
		var all strings.Builder
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%b", "%c", "%p", "%t", "%08v"} {
			fmt.Fprintf(&all, verb+"\n", v)
		}
		text, err := json.Marshal(v)
		if err != nil && !errors.As(err, new(*json.UnsupportedTypeError)) {
			t.Errorf("%T: json: %v", v, err)
		}
		all.Write(text)
		slog.New(slog.NewTextHandler(&all, nil)).Info("text", "v", v)
		slog.New(slog.NewJSONHandler(&all, nil)).Info("json", "v", v)
		for _, form := range []string{string(raw[:]), key.Reveal(), fmt.Sprintf("%x", raw), fmt.Sprintf("%X", raw),
			fmt.Sprint(raw[:4])[1:13], fmt.Sprintf("%q", raw[:])[1:20], fmt.Sprintf("%x", raw[:8]), fmt.Sprintf("%#v", raw[:4])[7:20]} {
			if strings.Contains(all.String(), form) {
				t.Errorf("%T shows its key as %q:\n%s", v, form, &all)
			}
		}
	}
	if got := fmt.Sprint(key); got != "key "+key.ID() {
		t.Errorf("a key prints as %q, want its ID", got)
	}
}

// FuzzSealer throws bytes at a Sealer that accepts whatever it can. What it opens
// it seals again; what it refuses it refuses by one of the four errors.
func FuzzSealer(f *testing.F) {
	sealer := newSealer(f, testKey(1), testKey(2))
	sealer.AcceptUnsealed = true
	for name, data := range goldens(f) {
		s, err := record.Decode(data)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(name, data[:len(data)-4], uint16(0))
		data = newSealer(f, testKey(2)).Append(nil, name, s)
		f.Add(name, data[:len(data)-4], uint16(0))
		f.Add(name, data[:len(data)-4], uint16(7))
	}
	f.Fuzz(func(t *testing.T, name string, body []byte, flip uint16) {
		_, _ = sealer.Decode(name, body)
		data := checksummed(body)
		s, err := sealer.Decode(name, data)
		if err != nil {
			for _, known := range []error{record.ErrDamaged, record.ErrNewer, record.ErrKey, record.ErrUnsealed} {
				if errors.Is(err, known) {
					return
				}
			}
			t.Fatalf("Decode(% x): error %v is none of the package's", data, err)
		}
		sealed := sealer.Append(nil, name, s)
		again, err := sealer.Decode(name, sealed)
		if err != nil || !reflect.DeepEqual(again, s) {
			t.Fatalf("sealed again and opened: %v, %v, want %v", again, err, s)
		}
		sealed = sealed[:len(sealed)-4]
		sealed[int(flip/8)%len(sealed)] ^= 1 << (flip % 8)
		if s, err := sealer.Decode(name, checksummed(sealed)); err == nil {
			t.Fatalf("bit %d flipped: opened as %v", flip, s)
		}
		if s, err := sealer.Decode(name+"x", sealer.Append(nil, name, s)); err == nil {
			t.Fatalf("moved to another name: opened as %v", s)
		}
	})
}

// A record that is sealed can lie anywhere; who has no key learns nothing of it,
// and who writes one under another name does not get far.
func ExampleSealer() {
	key := record.RandomKey() // or KeyFromFile, KeyFromEnv
	sealer, err := record.NewSealer(key)
	if err != nil {
		fmt.Println(err)
		return
	}
	data := sealer.Append(nil, "billing", manager.Snapshot{
		Token: manager.Token{AccessToken: manager.NewSecret("a1")},
		Login: 1, Generation: 1, Revision: 1,
	})

	s, err := sealer.Decode("billing", data)
	fmt.Println(s.Token.AccessToken.Reveal(), err)
	_, err = sealer.Decode("shipping", data)
	fmt.Println(errors.Is(err, record.ErrDamaged))
	_, err = record.Decode(data)
	fmt.Println(errors.Is(err, record.ErrKey))
	// Output:
	// a1 <nil>
	// true
	// true
}
