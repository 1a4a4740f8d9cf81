package contender

import (
	"context"
	"net/http"

	"example.com/tokenactor/client"
	"example.com/tokenactor/manager"
)

// All defaults: in memory, renewed in the background.
var tokenactor = Contender{
	Name:   "tokenactor",
	About:  "manager: Credential.Token(ctx); client.Transport; all defaults",
	Module: "example.com/tokenactor",
	Open: func(login Login) (any, error) {
		return manage(login)
	},
}

func manage(login Login) (*managed, error) {
	m, err := manager.New(manager.Config{})
	if err != nil {
		return nil, err
	}
	refresh := func(ctx context.Context, _ string, _ manager.Token) (manager.Token, error) {
		t, err := login(ctx)
		return manager.Token{AccessToken: manager.NewSecret(t.Access), Expiry: t.Expiry}, err
	}
	return &managed{m, m.Manage("bench", manager.RefresherFunc(refresh))}, nil
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

func (m *managed) Transport(base http.RoundTripper) (http.RoundTripper, error) {
	return &client.Transport{Source: m.credential, Base: base}, nil
}
