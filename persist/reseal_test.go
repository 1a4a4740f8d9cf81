package persist_test

import (
	"path/filepath"
	"testing"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist/record"
)

// An operator changes the key: the new one seals, the old one opens until all is
// sealed anew.
func TestSealedRotation(t *testing.T) {
	const n = 2500 // more than one step of Reseal
	path := filepath.Join(t.TempDir(), "tokens.db")
	db := openWith(t, path, sealed(1))
	var writes []manager.Write
	for i := range n {
		writes = append(writes, write(name(i), 0, token(name(i))))
	}
	save(t, db, writes...)
	db.Close()

	db = openWith(t, path, sealed(2, 1))
	save(t, db, write(name(7), 1, token("with the new key")))
	db.Close()
	wantErrorWith(t, "too early without the old key", path, sealed(2), record.ErrKey)
	wantErrorWith(t, "without the new key", path, sealed(1), record.ErrKey)

	db = openWith(t, path, sealed(2, 1))
	if got, err := db.Reseal(t.Context()); got != n-1 || err != nil {
		t.Errorf("Reseal = %d, %v, want %d", got, err, n-1)
	}
	if got, err := db.Reseal(t.Context()); got != 0 || err != nil {
		t.Errorf("Reseal again = %d, %v, want 0", got, err)
	}
	save(t, db, write(name(8), 1, token("after"))) // revisions stayed
	db.Close()
	wantErrorWith(t, "the old key alone", path, sealed(1), record.ErrKey)

	db = openWith(t, path, sealed(2))
	found := 0
	if err := db.Scan(t.Context(), func(string, manager.Snapshot) error { found++; return nil }); err != nil || found != n {
		t.Errorf("Scan told of %d names, %v, want %d", found, err, n)
	}
}

// A store from before it had a key.
func TestSealedMigration(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.db")
	storeOf(t, path, 10)
	wantErrorWith(t, "not sealed", path, sealed(1), record.ErrUnsealed)
	migrate := sealed(1)
	migrate.AcceptUnsealed = true
	db := openWith(t, path, migrate)
	save(t, db, write(name(3), 1, token("next")))
	got, err := db.Load(t.Context(), []string{name(2), name(3)})
	if err != nil || got[0].Token.AccessToken.Reveal() != name(2) || got[1].Token.AccessToken.Reveal() != "next" {
		t.Errorf("Load = %v, %v, want the old and the new", got, err)
	}
	db.Close()

	// Half of it sealed, it opens, and what is not yet is an error of its name.
	db = openWith(t, path, sealed(1))
	_, err = db.Load(t.Context(), []string{name(2), name(3)})
	wantNames(t, "Load", err, map[string]error{name(2): record.ErrUnsealed})
	db.Close()

	db = openWith(t, path, migrate)
	if n, err := db.Reseal(t.Context()); n != 9 || err != nil {
		t.Errorf("Reseal = %d, %v, want 9", n, err)
	}
	db.Close()
	db = openWith(t, path, sealed(1))
	for i := range 10 {
		if got, err := db.Load(t.Context(), []string{name(i)}); err != nil || got[0].Revision == 0 {
			t.Errorf("Load(%q) = %v, %v", name(i), got, err)
		}
	}
	if _, err := open(t, filepath.Join(t.TempDir(), "plain.db")).Reseal(t.Context()); err == nil {
		t.Error("Reseal without a key: no error")
	}
}
