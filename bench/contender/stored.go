package contender

import (
	"context"
	"errors"
	"strings"
	"time"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist"
)

// Snapshot is what is kept of each credential on disk: tokens of the usual sizes.
func Snapshot(revision uint64) manager.Snapshot {
	return manager.Snapshot{
		Token: manager.Token{
			AccessToken:  storedAccess,
			RefreshToken: storedRefresh,
			Expiry:       storedExpiry,
		},
		Login: 1, Generation: revision, Revision: revision,
	}
}

var (
	storedAccess  = manager.NewSecret(strings.Repeat("a", 64))
	storedRefresh = manager.NewSecret(strings.Repeat("r", 40))
	storedExpiry  = time.Now().Add(24 * time.Hour)
)

// OpenStore opens the file of persist, with its defaults.
func (m *managed) OpenStore(path string) (any, error) {
	db, err := persist.Open(path, persist.Options{})
	return &kept{db}, err
}

// Start opens the file and has a new manager load all its n credentials. It
// returns when their tokens are usable.
func (m *managed) Start(ctx context.Context, path string, n int) (stop func() error, err error) {
	db, err := persist.Open(path, persist.Options{})
	if err != nil {
		return nil, err
	}
	starting, err := manager.New(manager.Config{Store: db})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	for i := range n {
		starting.Manage(keyName(i), m.refresh)
	}
	return func() error { return errors.Join(starting.Close(), db.Close()) }, starting.Scan(ctx)
}

type kept struct{ *persist.DB }

func (k *kept) Fill(ctx context.Context, from, to int) error {
	writes := make([]manager.Write, to-from)
	for i := range writes {
		writes[i] = manager.Write{Name: keyName(from + i), Snapshot: Snapshot(1)}
	}
	return errors.Join(k.DB.Save(ctx, writes)...)
}

func (k *kept) Save(ctx context.Context, i int, revision uint64) error {
	return k.DB.Save(ctx, []manager.Write{{Name: keyName(i), Expect: revision - 1, Snapshot: Snapshot(revision)}})[0]
}
