package persist_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist"
	"example.com/tokenactor/persist/record"
)

// A login made by one run of a program is there in the next.
func ExampleOpen() {
	folder, err := os.MkdirTemp("", "tokens")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)

	login := manager.RefresherFunc(func(_ context.Context, name string, _ manager.Token) (manager.Token, error) {
		fmt.Println("logging in to", name)
		return manager.Token{AccessToken: manager.NewSecret("a1"), ExpiresIn: time.Hour}, nil
	})
	run := func() error {
		db, err := persist.Open(filepath.Join(folder, "tokens.db"), persist.Options{})
		if err != nil {
			return err
		}
		defer db.Close()
		m, err := manager.New(manager.Config{Store: db})
		if err != nil {
			return err
		}
		defer m.Close() // before the store
		token, err := m.Manage("billing", login).Token(context.Background())
		if err != nil {
			return err
		}
		fmt.Println("generation", token.Generation())
		return nil
	}
	for range 2 {
		if err := run(); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// logging in to billing
	// generation 1
	// generation 1
}

// Two Managers that share credentials, as two programs would, but in memory.
func ExampleMemory() {
	shared := new(persist.Memory)
	one, two := manager.Config{Store: shared}, manager.Config{Store: shared}

	first := manager.Write{Name: "billing", Snapshot: manager.Snapshot{Revision: 1}}
	fmt.Println(one.Store.Save(context.Background(), []manager.Write{first})[0])
	fmt.Println(two.Store.Save(context.Background(), []manager.Write{first})[0])
	// Output:
	// <nil>
	// manager: conflict: another revision is stored
}

// With a key the file shows no token to who reads it. The key lies elsewhere: in
// a file of its own, or in the environment.
func ExampleOpen_sealed() {
	folder, err := os.MkdirTemp("", "tokens")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)
	keyFile := filepath.Join(folder, "tokens.key") // better on another disk
	if err := os.WriteFile(keyFile, []byte(record.RandomKey().Reveal()), 0o600); err != nil {
		fmt.Println(err)
		return
	}

	key, err := record.KeyFromFile(keyFile)
	if err != nil {
		fmt.Println(err)
		return
	}
	path := filepath.Join(folder, "tokens.db")
	db, err := persist.Open(path, persist.Options{Key: key})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(db.Close())

	_, err = persist.Open(path, persist.Options{})
	fmt.Println(errors.Is(err, record.ErrKey))
	// Output:
	// <nil>
	// true
}
