package persist_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist"
	"example.com/tokenactor/persist/persisttest"
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

// sealed is how a file is opened whose newest key is testKey(key).
func sealed(key byte, old ...byte) persist.Options {
	o := persist.Options{Key: testKey(key)}
	for _, n := range old {
		o.OldKeys = append(o.OldKeys, testKey(n))
	}
	return o
}

func TestConformanceSealedDB(t *testing.T) {
	paths := make(map[manager.Store]string)
	persisttest.Store(t,
		func(tb testing.TB) manager.Store {
			path := filepath.Join(tb.TempDir(), "tokens.db")
			db := openWith(tb, path, sealed(1))
			paths[db] = path
			tb.Cleanup(func() { delete(paths, db) })
			return db
		},
		persisttest.Reopen(func(tb testing.TB, s manager.Store) manager.Store {
			if err := s.(*persist.DB).Close(); err != nil {
				tb.Fatal(err)
			}
			return openWith(tb, paths[s], sealed(2, 1))
		}))
}

func TestConformanceSealedFunc(t *testing.T) {
	sealer, err := record.NewSealer(testKey(1))
	if err != nil {
		t.Fatal(err)
	}
	persisttest.Store(t, func(testing.TB) manager.Store {
		f := make(table).store()
		f.Sealer = sealer
		return f
	})
}

// openWith opens the store at path, and closes it when the test ends.
func openWith(tb testing.TB, path string, o persist.Options) *persist.DB {
	tb.Helper()
	db, err := persist.Open(path, o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Errorf("Close: %v", err)
		}
	})
	return db
}

// No byte of a sealed file is of a secret: not of the newest record, nor in the
// pages that older ones left behind. Names are there.
func TestSealedFileShowsNoSecret(t *testing.T) {
	secrets := func(round int) manager.Snapshot {
		s := token(fmt.Sprintf("the access token %d", round))
		s.Token.RefreshToken = manager.NewSecret(fmt.Sprintf("the refresh token %d", round))
		s.Token.Type, s.Token.Scope = "SchemeOfItsOwn", "scope:of:its:own"
		s.Token.Extra = map[string]manager.Secret{"the key of an extra": manager.NewSecret("the value of an extra")}
		s.Refusals = []manager.Refusal{{At: time.Now(), Reason: "the reason of a refusal"}}
		s.Suspicion = manager.Suspicion{Since: time.Now(), Reason: "the reason of a suspicion"}
		return s
	}
	content := func(o persist.Options) []byte {
		path := filepath.Join(t.TempDir(), "tokens.db")
		db := openWith(t, path, o)
		for round := range 20 {
			save(t, db, write("the name", uint64(round), secrets(round)), write(name(round), 0, secrets(round)))
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	shown := func(data []byte) (found []string) {
		texts := []string{"SchemeOfItsOwn", "scope:of:its:own", "the key of an extra", "the value of an extra", "the reason of a refusal", "the reason of a suspicion", testKey(1).Reveal()}
		raw := sha256.Sum256([]byte{1})
		texts = append(texts, string(raw[:]), string(raw[:8]))
		for round := range 20 {
			texts = append(texts, fmt.Sprintf("the access token %d", round), fmt.Sprintf("the refresh token %d", round))
		}
		for _, text := range texts {
			if bytes.Contains(data, []byte(text)) {
				found = append(found, text)
			}
		}
		return found
	}
	data := content(sealed(1))
	if found := shown(data); found != nil {
		t.Errorf("the sealed file shows %q", found)
	}
	if !bytes.Contains(data, []byte("the name")) {
		t.Error("the name is not in the file: was anything stored?")
	}
	if found := shown(content(persist.Options{})); len(found) < 40 {
		t.Errorf("in a file that is not sealed only %q were found: the search does not work", found)
	}
}

// A file that needs another key says so when it is opened, and is left alone.
func TestSealedFileWrongKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.db")
	db := openWith(t, path, sealed(1))
	save(t, db, write("a", 0, token("a1")))
	db.Close()
	for what, o := range map[string]persist.Options{
		"no key": {}, "another key": sealed(2), "two others": sealed(2, 3),
		"another key and quarantine":     {Key: testKey(2), Quarantine: true},
		"another key and AcceptUnsealed": {Key: testKey(2), AcceptUnsealed: true},
	} {
		err := wantErrorWith(t, what, path, o, record.ErrKey)
		if errors.Is(err, persist.ErrDamaged) || !strings.Contains(fmt.Sprint(err), testKey(1).ID()) {
			t.Errorf("%s: error %v, want one with the ID of the right key, and no damage", what, err)
		}
	}
	got, err := openWith(t, path, sealed(2, 1)).Load(t.Context(), []string{"a"})
	if err != nil || got[0].Token.AccessToken.Reveal() != "a1" {
		t.Errorf("with the right key among the old ones: %v, %v, want a1", got, err)
	}
	for what, o := range map[string]persist.Options{
		"old keys alone": {OldKeys: []record.Key{testKey(1)}}, "AcceptUnsealed alone": {AcceptUnsealed: true},
		"an absent old key": {Key: testKey(1), OldKeys: []record.Key{{}}},
	} {
		if _, err := persist.Open(filepath.Join(t.TempDir(), "tokens.db"), o); err == nil || !strings.Contains(err.Error(), "OldKeys") {
			t.Errorf("%s: error %v, want one about Options.OldKeys", what, err)
		}
	}
}

// Single records that cannot be opened are errors of their names, are not written
// over, and do not concern the others.
func TestSealedRecordsOfOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.db")
	db := openWith(t, path, sealed(1))
	save(t, db, write("good", 0, token("good")), write("moved from", 0, token("moved")))
	db.Close()
	other, err := record.NewSealer(testKey(2))
	if err != nil {
		t.Fatal(err)
	}
	surgery(t, path, func(tx *bbolt.Tx) error {
		tokens := tx.Bucket([]byte("tokenactor/1"))
		return errors.Join(
			tokens.Put([]byte("moved to"), bytes.Clone(tokens.Get([]byte("moved from")))),
			tokens.Put([]byte("unsealed"), record.Append(nil, write("", 0, token("forged")).Snapshot)),
			tokens.Put([]byte("another key"), other.Append(nil, "another key", write("", 0, token("x")).Snapshot)))
	})
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]error{"moved to": record.ErrDamaged, "unsealed": record.ErrUnsealed, "another key": record.ErrKey}
	db = openWith(t, path, sealed(1))
	got, err := db.Load(t.Context(), []string{"good", "moved to", "unsealed", "another key", "none"})
	wantNames(t, "Load", err, want)
	if got[0].Token.AccessToken.Reveal() != "good" || got[1].Revision+got[2].Revision+got[3].Revision+got[4].Revision != 0 {
		t.Errorf("Load = %v, want the first alone", got)
	}
	var scanned []string
	wantNames(t, "Scan", db.Scan(t.Context(), func(name string, _ manager.Snapshot) error { scanned = append(scanned, name); return nil }), want)
	if fmt.Sprint(scanned) != "[good moved from]" {
		t.Errorf("Scan told of %q, want the good ones", scanned)
	}
	for bad, cause := range want {
		for _, expect := range []uint64{0, 1} {
			wantNames(t, "Save", db.Save(t.Context(), []manager.Write{write(bad, expect, token("over"))})[0], map[string]error{bad: cause})
		}
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(after, before) {
		t.Error("the file was changed")
	}
	if n, err := db.Reseal(t.Context()); n != 0 {
		t.Errorf("Reseal = %d, %v", n, err)
	} else {
		delete(want, "moved to") // its key is right: Reseal does not look further
		wantNames(t, "Reseal", err, want)
	}
	save(t, db, write("good", 1, token("next")))
}

// A Manager whose store has another key: the caller hears of it, and no login is
// lost.
func TestManagerWithWrongKey(t *testing.T) {
	rows := make(table)
	first, err := record.NewSealer(testKey(1))
	if err != nil {
		t.Fatal(err)
	}
	f := rows.store()
	f.Sealer = first
	save(t, f, write("billing", 0, token("a1")))
	before := bytes.Clone(rows["billing"])

	f = rows.store()
	if f.Sealer, err = record.NewSealer(testKey(2)); err != nil {
		t.Fatal(err)
	}
	m, err := manager.New(manager.Config{Store: f})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	c := m.Manage("billing", neverAsked(t))
	_, err = c.Token(t.Context())
	wantDenied(t, "Token", err, "billing", record.ErrKey)
	wantDenied(t, "Install", c.Install(t.Context(), token("a2").Token), "billing", record.ErrKey)
	if !bytes.Equal(rows["billing"], before) {
		t.Error("the record was written over")
	}
}

// Invariant 11, scenario 28: Options show no key.
func TestScenario28OptionsHideKeys(t *testing.T) {
	raw := sha256.Sum256([]byte{1})
	o := sealed(1, 1)
	var all strings.Builder
	for _, v := range []any{o, &o, struct{ options persist.Options }{o}, persist.Func{Sealer: mustSealer(t, 1)}} { //nolint: a copy to print
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&all, verb+"\n", v)
		}
		slog.New(slog.NewTextHandler(&all, nil)).Info("text", "v", v)
		slog.New(slog.NewJSONHandler(&all, nil)).Info("json", "v", v)
	}
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	all.Write(text)
	for _, form := range []string{string(raw[:]), testKey(1).Reveal(), fmt.Sprintf("%x", raw[:8]), fmt.Sprintf("%X", raw[:8]),
		strings.Trim(fmt.Sprint(raw[:4]), "[]"), fmt.Sprintf("%q", raw[:])[1:20], fmt.Sprintf("%#v", raw[:4])[7:20]} {
		if strings.Contains(all.String(), form) {
			t.Errorf("the key is shown as %q:\n%s", form, &all)
		}
	}
}

func mustSealer(tb testing.TB, key byte) *record.Sealer {
	tb.Helper()
	s, err := record.NewSealer(testKey(key))
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// A limit that SECURITY.md states: sealing proves whose record it is, not that it is the
// newest. A backup of a sealed file must be readable, so an older record is too.
func TestOlderSealedRecordIsTaken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.db")
	get := func(tx *bbolt.Tx) []byte {
		return bytes.Clone(tx.Bucket([]byte("tokenactor/1")).Get([]byte("billing")))
	}
	db := openWith(t, path, sealed(1))
	save(t, db, write("billing", 0, token("older")))
	db.Close()
	var older []byte
	surgery(t, path, func(tx *bbolt.Tx) error { older = get(tx); return nil })
	db = openWith(t, path, sealed(1))
	save(t, db, write("billing", 1, token("newer")))
	db.Close()
	surgery(t, path, func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("tokenactor/1")).Put([]byte("billing"), older)
	})
	got, err := openWith(t, path, sealed(1)).Load(t.Context(), []string{"billing"})
	if err != nil || got[0].Token.AccessToken.Reveal() != "older" {
		t.Errorf("Load = %v, %v, want the older record: is SECURITY.md still right?", got, err)
	}
}
