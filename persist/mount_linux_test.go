package persist_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// mounting skips a test that needs a disk of its own where there can be none, but not
// in CI.
func mounting(t *testing.T, programs ...string) {
	t.Helper()
	reason := ""
	if os.Getuid() != 0 {
		reason = "only root can mount a disk"
	}
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			reason = program + " is not installed: apt-get install e2fsprogs xfsprogs"
		}
	}
	switch {
	case reason == "":
	case os.Getenv("CI") == "true":
		t.Fatal(reason)
	default:
		t.Skip(reason)
	}
}

func command(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// A disk is a file system of its own, which ends with the test.
type disk struct {
	t      *testing.T
	folder string
	args   []string // of mount, but for the folder
}

func (d *disk) mount()   { d.t.Helper(); command(d.t, "mount", append(d.args, d.folder)...) }
func (d *disk) unmount() { d.t.Helper(); command(d.t, "umount", d.folder) }

func newDisk(t *testing.T, args ...string) *disk {
	t.Helper()
	d := &disk{t, t.TempDir(), args}
	d.mount()
	t.Cleanup(func() { _ = exec.Command("umount", "-l", d.folder).Run() }) // -l: a test that failed may have files open
	return d
}

// newExt4 makes a disk that can lose its power.
func newExt4(t *testing.T) *disk {
	t.Helper()
	mounting(t, "mkfs.ext4", "xfs_io", "mount", "umount")
	image := filepath.Join(t.TempDir(), "disk.img")
	command(t, "truncate", "-s", "16M", image)
	command(t, "mkfs.ext4", "-q", "-F", image)
	return newDisk(t, "-o", "loop", image)
}

// fail cuts the power: what is not on the disk is gone, and each write is an error.
func (d *disk) fail() { d.t.Helper(); command(d.t, "xfs_io", "-x", "-c", "shutdown", d.folder) }

func (d *disk) file() string { return filepath.Join(d.folder, "tokens.db") }

// fill takes all the space there is; free gives it back.
func (d *disk) fill() {
	d.t.Helper()
	f, err := os.Create(filepath.Join(d.folder, "filler"))
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	for {
		if _, err := f.Write(make([]byte, 4096)); errors.Is(err, syscall.ENOSPC) {
			return
		} else if err != nil {
			d.t.Fatal(err)
		}
	}
}

func (d *disk) free() {
	d.t.Helper()
	if err := os.Remove(filepath.Join(d.folder, "filler")); err != nil {
		d.t.Fatal(err)
	}
}

func smallDisk(t *testing.T) *disk {
	mounting(t, "mount", "umount")
	return newDisk(t, "-t", "tmpfs", "-o", "size=512k", "tmpfs")
}
