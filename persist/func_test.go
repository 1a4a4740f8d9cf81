package persist_test

import (
	"context"
	"errors"
	"io/fs"
	"testing"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist/record"
)

// The revision that nobody has asked for yet is loaded before the first save.
func TestFuncLoadsUnknownRevision(t *testing.T) {
	rows := make(table)
	save(t, rows.store(), write("a", 0, token("first")))

	again := rows.store() // the next process
	if err := again.Save(t.Context(), []manager.Write{write("a", 0, token("over"))})[0]; !errors.Is(err, manager.ErrConflict) {
		t.Errorf("Save over a row that was not loaded: %v, want ErrConflict", err)
	}
	save(t, again, write("a", 1, token("second")))
}

// After an error of SaveFunc nobody knows what is stored: it is loaded again.
func TestFuncUnknownOutcome(t *testing.T) {
	rows, lost := make(table), errors.New("the connection was lost")
	f := rows.store()
	direct := f.SaveFunc
	f.SaveFunc = func(ctx context.Context, name string, record []byte) error {
		_ = direct(ctx, name, record)
		return lost
	}
	err := f.Save(t.Context(), []manager.Write{write("a", 0, token("a"))})[0]
	if named, ok := errors.AsType[*manager.NameError](err); !ok || named.Name != "a" || !errors.Is(err, lost) {
		t.Errorf("Save: %v, want a NameError around SaveFunc's", err)
	}
	f.SaveFunc = direct
	if err := f.Save(t.Context(), []manager.Write{write("a", 0, token("again"))})[0]; !errors.Is(err, manager.ErrConflict) {
		t.Errorf("Save once more: %v, want ErrConflict, for the first was stored", err)
	}
	save(t, f, write("a", 1, token("next")))
}

// An error of LoadFunc, and a damaged row, is that of one name.
func TestFuncLoadErrors(t *testing.T) {
	down := errors.New("down")
	rows := table{"damaged": []byte("damaged"), "good": record.Append(nil, write("good", 0, token("good")).Snapshot)}
	f := rows.store()
	direct := f.LoadFunc
	f.LoadFunc = func(ctx context.Context, name string) ([]byte, error) {
		switch name {
		case "down":
			return nil, down
		case "missing":
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
		return direct(ctx, name)
	}
	got, err := f.Load(t.Context(), []string{"down", "missing", "damaged", "good"})
	wantNames(t, "Load", err, map[string]error{"down": down, "damaged": record.ErrDamaged})
	if got[1].Revision != 0 || got[3].Token.AccessToken.Reveal() != "good" {
		t.Errorf("Load = %v, want nothing for the second, and the last", got)
	}

	errs := f.Save(t.Context(), []manager.Write{write("down", 0, token("x")), write("damaged", 0, token("x")), write("missing", 0, token("x"))})
	if !errors.Is(errs[0], down) || !errors.Is(errs[1], record.ErrDamaged) || errs[2] != nil {
		t.Errorf("Save: errors %v, want LoadFunc's, ErrDamaged, nil", errs)
	}

	found := 0
	err = f.Scan(t.Context(), func(string, manager.Snapshot) error { found++; return nil })
	wantNames(t, "Scan", err, map[string]error{"damaged": record.ErrDamaged})
	if found != 2 {
		t.Errorf("Scan told of %d names, want 2", found)
	}
}

// A row that is damaged behind the back of Func is not saved over, although its
// revision was known.
func TestFuncDamagedLater(t *testing.T) {
	rows := make(table)
	f := rows.store()
	save(t, f, write("a", 0, token("a")))
	rows["a"] = rows["a"][:5]
	_, err := f.Load(t.Context(), []string{"a"})
	wantNames(t, "Load", err, map[string]error{"a": record.ErrDamaged})
	wantNames(t, "Save", f.Save(t.Context(), []manager.Write{write("a", 1, token("b"))})[0], map[string]error{"a": record.ErrDamaged})
}

// Without a SaveFunc what is written lasts as long as the Func.
func TestFuncReadOnly(t *testing.T) {
	rows := table{
		"a": record.Append(nil, write("a", 0, token("a")).Snapshot),
		"b": record.Append(nil, write("b", 0, token("b")).Snapshot),
	}
	f := rows.store()
	f.SaveFunc = nil
	save(t, f, write("a", 1, token("a2")), write("c", 0, token("c")))
	if err := f.Save(t.Context(), []manager.Write{write("a", 1, token("late"))})[0]; !errors.Is(err, manager.ErrConflict) {
		t.Errorf("Save of an old revision: %v, want ErrConflict", err)
	}

	got, err := f.Load(t.Context(), []string{"a", "b", "c"})
	if err != nil || got[0].Token.AccessToken.Reveal() != "a2" || got[1].Token.AccessToken.Reveal() != "b" || got[2].Token.AccessToken.Reveal() != "c" {
		t.Errorf("Load = %v, %v, want what was saved, and what was there", got, err)
	}
	all := make(map[string]string)
	if err := f.Scan(t.Context(), func(name string, s manager.Snapshot) error {
		all[name] += s.Token.AccessToken.Reveal()
		return nil
	}); err != nil || len(all) != 3 || all["a"] != "a2" || all["b"] != "b" || all["c"] != "c" {
		t.Errorf("Scan = %q, %v, want each once", all, err)
	}
	enough := errors.New("enough")
	if err := f.Scan(t.Context(), func(string, manager.Snapshot) error { return enough }); err != enough {
		t.Errorf("Scan = %v, want its function's error", err)
	}
	if len(rows) != 2 {
		t.Errorf("%d rows, want the two that were there", len(rows))
	}

	refreshable := token("a3")
	refreshable.Token.RefreshToken = manager.NewSecret("the only copy")
	if err := f.Save(t.Context(), []manager.Write{write("a", 2, refreshable)})[0]; !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Save of a refresh token: %v, want errors.ErrUnsupported", err)
	}
	save(t, f, write("a", 2, token("a3")))
}

func TestFuncWithoutScan(t *testing.T) {
	f := make(table).store()
	f.ScanFunc = nil
	if err := f.Scan(t.Context(), nil); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Scan: %v, want errors.ErrUnsupported", err)
	}
}
