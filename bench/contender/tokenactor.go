package contender

import (
	"context"

	"example.com/tokenactor/manager"
)

// All defaults: in memory, renewed in the background.
var tokenactor = Contender{
	Name:   "tokenactor",
	About:  "manager: Credential.Token(ctx), all defaults",
	Module: "example.com/tokenactor",
	Open: func(login Login) (any, error) {
		m, err := manager.New(manager.Config{})
		if err != nil {
			return nil, err
		}
		refresh := func(ctx context.Context, _ string, _ manager.Token) (manager.Token, error) {
			t, err := login(ctx)
			return manager.Token{AccessToken: manager.NewSecret(t.Access), Expiry: t.Expiry}, err
		}
		return &managed{m, m.Manage("bench", manager.RefresherFunc(refresh))}, nil
	},
}

type managed struct {
	*manager.Manager
	credential *manager.Credential
}

func (m *managed) Reads(ctx context.Context, n int) (string, error) {
	credential := m.credential
	var token *manager.Token
	for range n {
		var err error
		if token, err = credential.Token(ctx); err != nil {
			return "", err
		}
	}
	return token.AccessToken.Reveal(), nil
}
