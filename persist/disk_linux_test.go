package persist_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist"
)

// big is a token too big for the pages that a file has free.
func big(kind string, size int) manager.Token {
	return manager.Token{
		AccessToken:  manager.NewSecret(kind + strings.Repeat("x", size)),
		RefreshToken: manager.NewSecret("refresh " + kind), ExpiresIn: time.Hour,
	}
}

// eventually waits for what other goroutines and the disk do.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for begun := time.Now(); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Since(begun) > 30*time.Second {
			t.Fatalf("it did not come to it in 30 s: %s", what)
		}
	}
}

// What was acknowledged is there after a power failure, from the first write on,
// whose file had no name on the disk a moment before.
func TestScenario10PowerFailure(t *testing.T) {
	for _, o := range []persist.Options{{}, {Shared: true}} {
		t.Run(fmt.Sprintf("shared=%t", o.Shared), func(t *testing.T) {
			d := newExt4(t)
			for saves := range 4 {
				db, err := persist.Open(d.file(), o)
				if err != nil {
					t.Fatal(err)
				}
				name := fmt.Sprint("name ", saves)
				for revision := range uint64(saves + 1) {
					s := manager.Snapshot{Token: big(name, 100), Login: 1, Generation: revision + 1, Revision: revision + 1,
						Mark: manager.Mark{Attempt: revision + 1, Login: 1, At: time.Unix(1, 0)}}
					if err := db.Save(t.Context(), []manager.Write{{Name: name, Expect: revision, Snapshot: s}})[0]; err != nil {
						t.Fatal(err)
					}
				}
				d.fail()
				_ = db.Close() // there is nothing that it could save
				d.unmount()
				d.mount()
				db, err = persist.Open(d.file(), o)
				if err != nil {
					t.Fatalf("after power failure %d: %v", saves, err)
				}
				got, err := db.Load(t.Context(), []string{name})
				if err != nil || got[0].Revision != uint64(saves+1) || got[0].Mark.Attempt != uint64(saves+1) {
					t.Errorf("after power failure %d: %v, %v, want what was acknowledged", saves, got, err)
				}
				if err := db.Close(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// tried counts what a refresher was asked.
type tried struct {
	calls  atomic.Int64
	before func()        // each answer
	answer manager.Token // of each
}

func (r *tried) Refresh(context.Context, string, manager.Token) (manager.Token, error) {
	r.calls.Add(1)
	if r.before != nil {
		r.before()
	}
	return r.answer, nil
}

// A trouble is a manager on a disk, with a credential that somebody logged in.
type trouble struct {
	*manager.Manager
	c        *manager.Credential
	db       *persist.DB
	r        *tried
	unmarked atomic.Int64
}

func newTrouble(t *testing.T, d *disk, policy manager.Policy, r *tried) *trouble {
	t.Helper()
	db, err := persist.Open(d.file(), persist.Options{})
	if err != nil {
		t.Fatal(err)
	}
	x := &trouble{db: db, r: r}
	policy.Backoff, policy.BackoffMax = 10*time.Millisecond, 50*time.Millisecond
	x.Manager, err = manager.New(manager.Config{Store: db, Policy: policy, OnEvent: func(e manager.Event) {
		if e.Kind == manager.EventUnmarked {
			x.unmarked.Add(1)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = x.Close()
		_ = db.Close()
	})
	x.c = x.Manage("billing", r)
	if err := x.c.Install(t.Context(), big("first", 60_000)); err != nil {
		t.Fatal(err)
	}
	return x
}

func (x *trouble) token(t *testing.T) *manager.Token {
	t.Helper()
	token, err := x.c.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func kindOf(token *manager.Token) string { return strings.TrimRight(token.AccessToken.Reveal(), "x") }

// The disk is full when the answer is to be saved: it is used from memory, the
// refresh token before it is not sent again, and it is saved once there is space.
func TestScenario11DiskFullAtTheAnswer(t *testing.T) {
	d := smallDisk(t)
	r := &tried{answer: big("second", 150_000), before: d.fill}
	x := newTrouble(t, d, manager.Policy{}, r)
	token, err := x.c.Renew(t.Context(), x.token(t))
	if err != nil || kindOf(token) != "second" {
		t.Fatalf("Renew on a full disk: %v, %v, want the new token", token, err)
	}
	eventually(t, "Status says that the answer is unsaved", func() bool { return x.c.Status().Unsaved })
	eventually(t, "the save is tried again", func() bool { return x.Stats().SaveFailures > 3 })
	if got := r.calls.Load(); got != 1 {
		t.Errorf("refreshes: %d, want 1", got)
	}
	d.free()
	eventually(t, "the answer is saved when there is space", func() bool { return !x.c.Status().Unsaved })
	if err := errors.Join(x.Close(), x.db.Close()); err != nil {
		t.Fatal(err)
	}
	expectOnDisk(t, d, "second")
}

// The same until the end: Close names what it could not save.
func TestScenario11DiskFullToTheEnd(t *testing.T) {
	d := smallDisk(t)
	x := newTrouble(t, d, manager.Policy{}, &tried{answer: big("second", 150_000), before: d.fill})
	if _, err := x.c.Renew(t.Context(), x.token(t)); err != nil {
		t.Fatal(err)
	}
	var named *manager.NameError
	if err := x.Close(); !errors.As(err, &named) || named.Name != "billing" || !errors.Is(err, manager.ErrNotSaved) || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("Close on a full disk: %v, want a NameError with ErrNotSaved and ENOSPC", err)
	}
	if err := x.db.Close(); err != nil {
		t.Errorf("DB.Close on a full disk: %v", err)
	}
	expectOnDisk(t, d, "first")
}

// FailClosed gives out no token that is not stored.
func TestScenario11DiskFullFailClosed(t *testing.T) {
	d := smallDisk(t)
	r := &tried{answer: big("second", 150_000), before: d.fill}
	x := newTrouble(t, d, manager.Policy{FailClosed: true}, r)
	if token, err := x.c.Renew(t.Context(), x.token(t)); !errors.Is(err, manager.ErrNotSaved) {
		t.Fatalf("Renew on a full disk: %v, %v, want ErrNotSaved", token, err)
	}
	d.free()
	eventually(t, "the token is given out when it is stored", func() bool {
		token, err := x.c.Token(t.Context())
		return err == nil && kindOf(token) == "second"
	})
	if got := r.calls.Load(); got != 1 {
		t.Errorf("refreshes: %d, want 1", got)
	}
}

// The disk is full when the mark is to be saved: with a usable token nothing is sent.
// Without one it is sent unmarked, and said so, or with FailClosed not at all.
func TestScenario11DiskFullAtTheMark(t *testing.T) {
	for _, closed := range []bool{false, true} {
		t.Run(fmt.Sprintf("FailClosed=%t", closed), func(t *testing.T) {
			d := smallDisk(t)
			r := &tried{answer: big("second", 1000)}
			// Due from the beginning, and again after each failure.
			x := newTrouble(t, d, manager.Policy{FailClosed: closed, Window: 59 * time.Minute, Jitter: -1}, r)
			first := x.token(t)
			d.fill()
			_, err := x.c.Renew(t.Context(), first)
			switch {
			case closed && (!errors.Is(err, manager.ErrNotSaved) || r.calls.Load() != 0 || x.unmarked.Load() != 0):
				t.Errorf("Renew: %v after %d refreshes, want ErrNotSaved and nothing sent", err, r.calls.Load())
			case !closed && (err != nil || r.calls.Load() != 1):
				t.Errorf("Renew: %v after %d refreshes, want a token after one", err, r.calls.Load())
			}
			if !closed {
				eventually(t, "an event says that it was sent unmarked", func() bool { return x.unmarked.Load() == 1 })
			}
			d.free()
			eventually(t, "all is well when there is space", func() bool {
				token, err := x.c.Token(t.Context())
				return err == nil && kindOf(token) == "second" && !x.c.Status().Unsaved
			})
			if got := r.calls.Load(); got != 1 {
				t.Errorf("refreshes: %d, want 1", got)
			}
		})
	}
}

// A disk that fails for good: the token is used from memory, the old refresh token is
// not sent again, and Close says what is lost.
func TestScenario11DiskFails(t *testing.T) {
	d := newExt4(t)
	r := &tried{answer: big("second", 1000), before: d.fail}
	x := newTrouble(t, d, manager.Policy{}, r)
	token, err := x.c.Renew(t.Context(), x.token(t))
	if err != nil || kindOf(token) != "second" {
		t.Fatalf("Renew: %v, %v, want the new token", token, err)
	}
	eventually(t, "the save is tried again", func() bool { return x.Stats().SaveFailures > 3 })
	if err := x.Close(); !errors.Is(err, manager.ErrNotSaved) {
		t.Errorf("Close: %v, want ErrNotSaved", err)
	}
	if got := r.calls.Load(); got != 1 {
		t.Errorf("refreshes: %d, want 1", got)
	}
	_ = x.db.Close()
	d.unmount()
	d.mount()
	// The mark was acknowledged, so it is there: the next process knows that the
	// refresh token was sent.
	db, err := persist.Open(d.file(), persist.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if got, err := db.Load(t.Context(), []string{"billing"}); err != nil || got[0].Mark.IsZero() || kindOf(&got[0].Token) != "first" {
		t.Errorf("after the failure: %v, %v, want the first token under a mark", got, err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	d.unmount()
	d.mount() // for the end of the test
}

// A disk that cannot be written to is an error of Open that names the file.
func TestScenario17ReadOnlyDisk(t *testing.T) {
	d := newExt4(t)
	db, err := persist.Open(d.file(), persist.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	command(t, "mount", "-o", "remount,ro", d.folder)
	for _, o := range []persist.Options{{}, {Shared: true}, {Quarantine: true}} {
		var named *fs.PathError
		if _, err := persist.Open(d.file(), o); !errors.Is(err, syscall.EROFS) || !errors.As(err, &named) {
			t.Errorf("Open(%+v) on a read-only disk: %v, want a PathError with EROFS", o, err)
		}
	}
	if _, err := os.Stat(d.file()); err != nil {
		t.Error(err)
	}
}

// expectOnDisk opens the file as the next process does.
func expectOnDisk(t *testing.T, d *disk, kind string) {
	t.Helper()
	db, err := persist.Open(d.file(), persist.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	got, err := db.Load(t.Context(), []string{"billing"})
	if err != nil || kindOf(&got[0].Token) != kind {
		t.Errorf("on the disk: %v, %v, want the %s token", got, err, kind)
	}
}
