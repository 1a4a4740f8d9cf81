package persist_test

import (
	"context"
	"errors"
	"fmt"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist"
	"example.com/tokenactor/persist/record"
)

// A token that somebody else provides, and that no login renews: LoadFunc makes
// its record of what the secrets service says, and without a SaveFunc nothing is
// written back.
func ExampleFunc_readOnly() {
	service := map[string]string{"reports": "s-4711"} // a vault, a cookie jar
	store := &persist.Func{
		LoadFunc: func(_ context.Context, name string) ([]byte, error) {
			session, ok := service[name]
			if !ok {
				return nil, nil // none yet
			}
			return record.Append(nil, manager.Snapshot{
				Token: manager.Token{AccessToken: manager.NewSecret(session), Type: "Session"},
				Login: 1, Generation: 1, Revision: 1,
			}), nil
		},
	}
	noLogin := manager.RefresherFunc(func(context.Context, string, manager.Token) (manager.Token, error) {
		return manager.Token{}, manager.LoginRequired(errors.New("put a new session into the vault"))
	})

	m, err := manager.New(manager.Config{Store: store})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()
	token, err := m.Manage("reports", noLogin).Token(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(token.Authorization())
	// Output: [Session s-4711]
}
