package persist_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist"
)

// A thinDisk promises more space than there is behind it, as rented disks do:
// writing succeeds, and syncing fails once that is used up.
type thinDisk struct {
	*disk
	behind *disk
	image  string
}

func newThinDisk(t *testing.T) *thinDisk {
	t.Helper()
	mounting(t, "mkfs.ext4", "xfs_io", "mount", "umount", "fallocate")
	behind := newDisk(t, "-t", "tmpfs", "-o", "size=14m", "tmpfs")
	image := filepath.Join(behind.folder, "disk.img")
	command(t, "truncate", "-s", "12M", image)
	command(t, "mkfs.ext4", "-q", "-F", "-b", "4096", "-O", "^has_journal", image) // a journal would give up for good
	return &thinDisk{newDisk(t, "-o", "loop", image), behind, image}
}

// restart is a power failure after which there is space.
func (d *thinDisk) restart(t *testing.T, db *persist.DB) {
	t.Helper()
	d.disk.fail()
	_ = db.Close()
	d.unmount()
	_ = os.Remove(filepath.Join(d.behind.folder, "filler"))
	d.mount()
}

// takeBack takes the place of a page of the file away from under it, so that it
// cannot be written again when there is no space.
func (d *thinDisk) takeBack(t *testing.T, page int64) {
	t.Helper()
	f, err := os.Open(d.file())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	content := make([]byte, os.Getpagesize())
	if _, err := f.ReadAt(content, page*int64(len(content))); err != nil {
		t.Fatal(err)
	}
	image, err := os.ReadFile(d.image)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(image, content)
	if at < 0 || at%len(content) != 0 || bytes.Count(image, content) != 1 {
		t.Fatalf("page %d is at %d of the disk, in %d places, want one", page, at, bytes.Count(image, content))
	}
	command(t, "fallocate", "-p", "-o", strconv.Itoa(at), "-l", strconv.Itoa(len(content)), d.image)
}

// nextMeta is the page that the next commit writes last: it says which others count.
func (d *thinDisk) nextMeta(t *testing.T) int64 {
	t.Helper()
	content, err := os.ReadFile(d.file())
	if err != nil {
		t.Fatal(err)
	}
	const number = 64 // offset of the transaction's number
	if size := os.Getpagesize(); binary.NativeEndian.Uint64(content[number:]) > binary.NativeEndian.Uint64(content[size+number:]) {
		return 1
	}
	return 0
}

// A sync fails that is the last of a commit, so that the change is in memory and not
// on the disk. Nobody may take it for stored: a refresh token would be sent whose
// mark a power failure takes away. When there is space again, all goes on.
func TestScenario11LastSyncFails(t *testing.T) {
	for _, o := range []persist.Options{{}, {Shared: true}} {
		d := newThinDisk(t)
		db, err := persist.Open(d.file(), o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		revision := uint64(0)
		again := func() error {
			return db.Save(t.Context(), []manager.Write{write("a", revision, token("a"))})[0]
		}
		for range 20 { // until the file has all the pages that it needs
			if err := again(); err != nil {
				t.Fatal(err)
			}
			revision++
		}
		d.takeBack(t, d.nextMeta(t))
		d.behind.fill()
		if err := again(); err == nil {
			t.Fatal("Save succeeded without space")
		}
		if got, err := db.Load(t.Context(), []string{"a"}); err == nil && got[0].Revision != revision {
			t.Errorf("shared=%t: Load gives revision %d, which is not on the disk, want an error or %d", o.Shared, got[0].Revision, revision)
		}
		d.behind.free()
		eventually(t, "what is stored can be read when there is space", func() bool {
			got, err := db.Load(t.Context(), []string{"a"})
			if err != nil {
				return false
			}
			revision = got[0].Revision
			return true
		})
		d.restart(t, db)
		if db, err = persist.Open(d.file(), o); err != nil {
			t.Fatal(err)
		}
		if got, err := db.Load(t.Context(), []string{"a"}); err != nil || got[0].Revision != revision {
			t.Errorf("shared=%t: after a power failure %v, %v, want revision %d, which Load gave", o.Shared, got, err, revision)
		}
		if err := again(); err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		checkPages(t, d.file())
	}
}

// Power failures while saves are under way: what was acknowledged is there, and the
// file is whole.
func TestScenario10PowerFailureDuringSaves(t *testing.T) {
	const names = 8
	d := newExt4(t)
	all := make([]string, names)
	for i := range all {
		all[i] = name(i)
	}
	var acknowledged [names]uint64 // revisions
	for round := range 12 {
		o := persist.Options{Shared: round%3 == 2}
		db, err := persist.Open(d.file(), o)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		t.Cleanup(func() { _ = db.Close() })
		got, err := db.Load(t.Context(), all)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		var wg sync.WaitGroup
		for i, s := range got {
			if s.Revision < acknowledged[i] {
				t.Errorf("round %d: %s has revision %d, %d was acknowledged", round, all[i], s.Revision, acknowledged[i])
			}
			wg.Go(func() {
				for revision := s.Revision; ; revision++ {
					next := token(all[i])
					next.Token.Scope = strings.Repeat("x", int(revision*97%5000)) // the file grows, and has gaps
					if db.Save(t.Context(), []manager.Write{write(all[i], revision, next)})[0] != nil {
						return // the power is gone
					}
					acknowledged[i] = revision + 1
				}
			})
		}
		time.Sleep(time.Duration(10+round*3) * time.Millisecond) // any moment will do
		d.fail()
		wg.Wait()
		_ = db.Close()
		d.unmount()
		d.mount()
		checkPages(t, d.file())
	}
	for i, n := range acknowledged {
		if n == 0 {
			t.Errorf("%s was never saved", all[i])
		}
	}
}

// readOnly makes the system find the disk damaged, so that it lets nobody write any
// more, whoever has a file open.
func (d *disk) readOnly() {
	d.t.Helper()
	command(d.t, "mount", "-o", "remount,errors=remount-ro", d.folder)
	device, err := exec.Command("findmnt", "-n", "-o", "SOURCE", d.folder).Output()
	if err != nil {
		d.t.Fatal(err)
	}
	name, ok := strings.CutPrefix(strings.TrimSpace(string(device)), "/dev/loop")
	if !ok { // never another one
		d.t.Fatalf("%s is on %s, want a loop device", d.folder, device)
	}
	trigger := filepath.Join("/sys/fs/ext4", "loop"+name, "trigger_fs_error")
	if err := os.WriteFile(trigger, []byte("a test"), 0); err != nil {
		d.t.Fatal(err)
	}
}

// A disk that fails, or is read-only from one moment to the next, when the token is
// due: as long as it is usable nothing is sent, since the mark cannot be saved. When
// it is not, the refresh token is sent without, and an event says so; or it is kept,
// with FailClosed. In either case Close says what the disk does not have.
func TestScenario11DiskFailsAtTheMark(t *testing.T) {
	for what, test := range map[string]struct {
		fail func(*disk)
		want error
	}{
		"fails":     {(*disk).fail, syscall.EIO},
		"read-only": {(*disk).readOnly, syscall.EROFS},
	} {
		for _, closed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, FailClosed=%t", what, closed), func(t *testing.T) {
				d := newExt4(t)
				db, err := persist.Open(d.file(), persist.Options{})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = db.Close() })
				due := big("first", 1000)
				due.Expiry = time.Now().Add(4 * time.Minute)
				for revision := range uint64(20) { // until the file need not grow
					save(t, db, write("billing", revision, manager.Snapshot{Token: due, Login: 1, Generation: 1}))
				}
				test.fail(d)
				r := &tried{answer: big("second", 1000)}
				patience := time.Duration(-1) // the caller may come during back-off
				if closed {
					patience = 0
				}
				var unmarked atomic.Int64
				m, err := manager.New(manager.Config{
					Store:  db, // what it has read before can be read
					Policy: manager.Policy{FailClosed: closed, Patience: patience, Backoff: 5 * time.Millisecond, BackoffMax: 10 * time.Millisecond},
					Logger: slog.New(slog.DiscardHandler),
					OnEvent: func(e manager.Event) {
						if e.Kind == manager.EventUnmarked {
							unmarked.Add(1)
						}
					},
				})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = m.Close() })
				c := m.Manage("billing", r)
				first, err := c.Token(t.Context())
				if err != nil || kindOf(first) != "first" {
					t.Fatalf("Token: %v, %v, want the stored one", first, err)
				}
				eventually(t, "the renewal is tried, and its mark cannot be saved", func() bool { return m.Stats().RefreshFailures > 3 })
				if got := r.calls.Load(); got != 0 {
					t.Errorf("%d refreshes while the token was usable, want none", got)
				}
				if err := c.Status().Err; !errors.Is(err, manager.ErrNotSaved) || !errors.Is(err, test.want) {
					t.Errorf("Status.Err: %v, want ErrNotSaved and %v", err, test.want)
				}

				failures := m.Stats().RefreshFailures
				token, err := c.Renew(t.Context(), first)
				if closed {
					eventually(t, "the renewal is tried again", func() bool { return m.Stats().RefreshFailures > failures+3 || r.calls.Load() > 0 })
					if !errors.Is(err, manager.ErrNotSaved) || r.calls.Load() != 0 || unmarked.Load() != 0 {
						t.Errorf("Renew: %v, %v after %d refreshes, want ErrNotSaved and none", token, err, r.calls.Load())
					}
					return
				}
				if err != nil || kindOf(token) != "second" {
					t.Fatalf("Renew: %v, %v, want the new token", token, err)
				}
				eventually(t, "an event says that it was sent unmarked", func() bool { return unmarked.Load() == 1 })
				eventually(t, "the save is tried again", func() bool { return m.Stats().SaveFailures > 8 })
				var named *manager.NameError
				if err := m.Close(); !errors.As(err, &named) || named.Name != "billing" || !errors.Is(err, manager.ErrNotSaved) || !errors.Is(err, test.want) {
					t.Errorf("Close: %v, want a NameError with ErrNotSaved and %v", err, test.want)
				}
				if got := r.calls.Load(); got != 1 {
					t.Errorf("%d refreshes, want 1", got)
				}
			})
		}
	}
}
