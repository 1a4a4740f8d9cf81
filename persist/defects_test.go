package persist_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist"
	"example.com/tokenactor/persist/record"
)

// What is saved into a file that was taken away, or has another in its place, is
// lost when it is closed: Save says so, and a mark is not written.
func TestScenario17FileReplacedWhileOpen(t *testing.T) {
	folder := t.TempDir()
	t.Chdir(folder)
	path := filepath.Join(folder, "tokens.db")
	db := open(t, "tokens.db")
	save(t, db, write("a", 0, token("a")))
	t.Chdir(t.TempDir()) // the name is not looked for here
	save(t, db, write("a", 1, token("b")))

	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"removed", "replaced"} {
		err := db.Save(t.Context(), []manager.Write{write("a", 2, token("c"))})[0]
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(fmt.Sprint(err), path) {
			t.Errorf("%s: Save: %v, want fs.ErrNotExist of %s", what, err, path)
		}
		if got, err := db.Load(t.Context(), []string{"a"}); err != nil || got[0].Revision != 2 {
			t.Errorf("%s: Load: %v, %v, want what was stored", what, got, err)
		}
		if what == "removed" {
			open(t, path).Close()
		}
	}
	if err := os.Rename(path+".away", path); err != nil {
		t.Fatal(err)
	}
	save(t, db, write("a", 2, token("c")))
}

// A new file in the place of one that was moved aside counts its news from 1
// again: none of them is taken for one that was told already.
func TestNewsOfANewFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.db")
	other := filepath.Join(t.TempDir(), "other.db")
	const n = 10
	save(t, openShared(t, path), writes("old", n)...)
	save(t, openShared(t, other), writes("new", n)...) // as many: the same number

	db := openShared(t, path)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	donec := make(chan struct{})
	told := make(chan string, 1000)
	go func() {
		defer close(donec)
		_ = db.Watch(ctx, func(name string, _ uint64) { told <- name })
	}()
	save(t, openShared(t, path), write("old too", 0, token("old too")))
	save(t, openShared(t, other), write("new too", 0, token("new too")))
	if name := <-told; name != "old too" { // so it has looked at the file that goes
		t.Fatalf("Watch told of %q, want what was written", name)
	}
	if err := os.Rename(other, path); err != nil {
		t.Fatal(err)
	}
	for range n + 1 {
		select {
		case name := <-told:
			if !strings.HasPrefix(name, "new") {
				t.Errorf("Watch told of %q, which the new file does not have", name)
			}
		case <-ctx.Done():
			t.Fatal("Watch does not tell of what is in the new file")
		}
	}
	cancel()
	<-donec
}

func writes(prefix string, n int) (all []manager.Write) {
	for i := range n {
		name := fmt.Sprintf("%s %d", prefix, i)
		all = append(all, write(name, 0, token(name)))
	}
	return all
}

// A process that was not told of the new key goes on sealing with its own. The
// file says so at the next Open, and not at the record that needs it.
func TestResealBesideAnOldKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.db")
	shared := func(key byte, old ...byte) persist.Options {
		o := sealed(key, old...)
		o.Shared = true
		return o
	}
	late := openWith(t, path, shared(1, 2))
	save(t, late, write("a", 0, token("a")))
	db := openWith(t, path, shared(2, 1))
	if n, err := db.Reseal(t.Context()); n != 1 || err != nil {
		t.Fatalf("Reseal = %d, %v, want 1", n, err)
	}
	openWith(t, path, shared(2)).Close()
	save(t, late, write("a", 1, token("b")))
	wantErrorWith(t, "without the key of the last record", path, shared(2), record.ErrKey)

	if n, err := db.Reseal(t.Context()); n != 1 || err != nil {
		t.Fatalf("Reseal = %d, %v, want 1", n, err)
	}
	openWith(t, path, shared(2)).Close()
}

// Who waits for a lease when the store is closed does not get it after that.
func TestLeaseOfAClosedStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.db")
	one, two := openShared(t, path), openShared(t, path)
	held, err := one.Locker().Lock(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	errc := make(chan error)
	begunc := make(chan struct{})
	go func() {
		close(begunc)
		_, err := two.Locker().Lock(t.Context(), "a")
		errc <- err
	}()
	<-begunc
	if err := two.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-errc; !errors.Is(err, fs.ErrClosed) || !strings.Contains(fmt.Sprint(err), path) {
		t.Errorf("Lock: %v, want fs.ErrClosed of %s", err, path)
	}
	if err := held.Unlock(t.Context()); err != nil {
		t.Error(err)
	}
}
