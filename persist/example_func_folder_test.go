package persist_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist"
)

// A folder keeps each record in a file of its own.
type folder string

// path of the record of name, which may hold any bytes, "../" too.
func (f folder) path(name string) string {
	return filepath.Join(string(f), url.PathEscape(name)+".record")
}

func (f folder) load(_ context.Context, name string) ([]byte, error) {
	return os.ReadFile(f.path(name)) // fs.ErrNotExist says: none yet
}

// save replaces the file wholly or not at all, and returns when it is on the disk.
func (f folder) save(_ context.Context, name string, record []byte) error {
	temp, err := os.CreateTemp(string(f), "new-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name()) // renamed by then, or useless
	_, err = temp.Write(record)
	if err == nil {
		err = temp.Sync()
	}
	if closed := temp.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(temp.Name(), f.path(name))
	}
	if err != nil {
		return err
	}
	dir, err := os.Open(string(f))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync() // the new name, too
}

func (f folder) scan(_ context.Context, visit func(name string, record []byte) error) error {
	files, err := filepath.Glob(filepath.Join(string(f), "*.record"))
	if err != nil {
		return err
	}
	for _, file := range files {
		name, err := url.PathUnescape(strings.TrimSuffix(filepath.Base(file), ".record"))
		if err != nil {
			return err
		}
		record, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := visit(name, record); err != nil {
			return err
		}
	}
	return nil
}

func (f folder) store() *persist.Func {
	return &persist.Func{LoadFunc: f.load, SaveFunc: f.save, ScanFunc: f.scan}
}

// Any place that holds bytes under a name is a store for one process: here a
// folder with a file for each credential.
func ExampleFunc() {
	dir, err := os.MkdirTemp("", "tokens")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	// This is what a Manager does with it.
	ctx := context.Background()
	errs := folder(dir).store().Save(ctx, []manager.Write{{Name: "tenant/7", Snapshot: manager.Snapshot{
		Token: manager.Token{AccessToken: manager.NewSecret("a1")}, Login: 1, Generation: 1, Revision: 1,
	}}})
	fmt.Println(errs[0])
	err = folder(dir).store().Scan(ctx, func(name string, s manager.Snapshot) error { // in the next process
		fmt.Println(name, s.Token.AccessToken.Reveal())
		return nil
	})
	fmt.Println(err)
	// Output:
	// <nil>
	// tenant/7 a1
	// <nil>
}
