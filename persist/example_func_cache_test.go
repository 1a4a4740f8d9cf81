package persist_test

import (
	"context"
	"fmt"
	"time"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist"
	"example.com/tokenactor/persist/record"
)

// A cache forgets what is out of date.
type cache struct {
	now     func() time.Time
	entries map[string]entry
}

type entry struct {
	data  []byte
	until time.Time
}

func (c *cache) get(name string) []byte {
	if e := c.entries[name]; c.now().Before(e.until) {
		return e.data
	}
	return nil
}

func (c *cache) put(name string, data []byte, life time.Duration) {
	c.entries[name] = entry{data, c.now().Add(life)}
}

// A cache in place of a store: every process, or run, that finds a token there is
// spared a login. What is evicted costs one, so this is for logins that need no
// human and no refresh token.
func ExampleFunc_cache() {
	now := time.Now()
	c := &cache{now: func() time.Time { return now }, entries: make(map[string]entry)}
	store := func() *persist.Func {
		return &persist.Func{
			LoadFunc: func(_ context.Context, name string) ([]byte, error) { return c.get(name), nil }, // nil: none
			SaveFunc: func(_ context.Context, name string, data []byte) error {
				s, err := record.Decode(data)
				if err != nil {
					return err
				}
				c.put(name, data, time.Until(s.Token.Expiry))
				return nil
			},
		}
	}
	login := manager.RefresherFunc(func(_ context.Context, name string, _ manager.Token) (manager.Token, error) {
		fmt.Println("logging in to", name)
		return manager.Token{AccessToken: manager.NewSecret("a1"), ExpiresIn: time.Hour}, nil
	})
	run := func() {
		m, err := manager.New(manager.Config{Store: store()})
		if err != nil {
			fmt.Println(err)
			return
		}
		token, err := m.Manage("search", login).Token(context.Background())
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("token", token.AccessToken.Reveal())
		if err := m.Close(); err != nil {
			fmt.Println(err)
		}
	}
	run()
	run()
	now = now.Add(2 * time.Hour) // the cache has forgotten it
	run()
	// Output:
	// logging in to search
	// token a1
	// token a1
	// logging in to search
	// token a1
}
