package persist_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist"
)

// Two programs share the credentials of one file. Here both are in one process, each
// with a DB and a Manager of its own. One of them signs in; the other waits for that
// and has the token.
func ExampleOpen_shared() {
	folder, err := os.MkdirTemp("", "tokens")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)

	var calls atomic.Int64
	login := manager.RefresherFunc(func(context.Context, string, manager.Token) (manager.Token, error) {
		token := fmt.Sprint("a", calls.Add(1))
		return manager.Token{AccessToken: manager.NewSecret(token), ExpiresIn: time.Hour}, nil
	})
	program := func() error {
		db, err := persist.Open(filepath.Join(folder, "tokens.db"), persist.Options{Shared: true})
		if err != nil {
			return err
		}
		defer db.Close()
		m, err := manager.New(manager.Config{Store: db}) // Locker and Watch of db are found by themselves
		if err != nil {
			return err
		}
		defer m.Close()
		_, err = m.Manage("billing", login).Token(context.Background())
		return err
	}

	errs := make(chan error)
	for range 2 {
		go func() { errs <- program() }()
	}
	fmt.Println(<-errs, <-errs)
	fmt.Println("logins:", calls.Load())
	// Output:
	// <nil> <nil>
	// logins: 1
}
