package contender

import (
	"context"
	"log/slog"
	"net/http"
	"strconv"

	"example.com/tokenactor/client"
	"example.com/tokenactor/manager"
)

// All defaults: in memory, renewed in the background. Where the scene names a skew
// and a window, they are those of the Policy. Nothing is logged, as by the others.
var tokenactor = Contender{
	Name:   "tokenactor",
	About:  "manager: Credential.Token(ctx), Renew(ctx, rejected); client.Transport; persist.DB; all defaults",
	Module: "example.com/tokenactor",
	Open: func(job Job) (any, error) {
		return manage(job)
	},
}

func manage(job Job) (*managed, error) {
	m, err := manager.New(manager.Config{
		Policy: manager.Policy{Skew: job.Skew, Window: job.Window},
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, err
	}
	refresh := manager.RefresherFunc(func(ctx context.Context, _ string, _ manager.Token) (manager.Token, error) {
		t, err := job.Login(ctx)
		return managerToken(t), err
	})
	return &managed{m, refresh, credential{m.Manage("bench", refresh)}}, nil
}

func managerToken(t Token) manager.Token {
	return manager.Token{AccessToken: manager.NewSecret(t.Access), Expiry: t.Expiry}
}

type managed struct {
	*manager.Manager
	refresh manager.Refresher
	credential
}

// Many fills all with credentials of the one manager.
func (m *managed) Many(all []any) error {
	for i := range all {
		all[i] = credential{m.Manage(keyName(i), m.refresh)}
	}
	return nil
}

// keyName is the name of a credential among many.
func keyName(i int) string {
	digits := strconv.Itoa(i)
	return "tenant/" + "0000000"[:max(0, 7-len(digits))] + digits
}

func (m *managed) Transport(base http.RoundTripper) (http.RoundTripper, error) {
	return &client.Transport{Source: m.Credential, Base: base}, nil
}

// A credential is no more than the one pointer.
type credential struct{ *manager.Credential }

func (c credential) Reads(ctx context.Context, n int) (string, error) {
	credential := c.Credential
	var token *manager.Token
	for range n {
		var err error
		if token, err = credential.Token(ctx); err != nil {
			return "", err
		}
	}
	return token.AccessToken.Reveal(), nil
}

// Request does what client.Transport does, without HTTP.
func (c credential) Request(ctx context.Context, send Send) error {
	token, err := c.Token(ctx)
	if err != nil || send(token.AccessToken.Reveal()) {
		return err
	}
	if token, err = c.Renew(ctx, token); err != nil {
		return err
	}
	accepted := send(token.AccessToken.Reveal())
	c.Replayed(token, accepted)
	if !accepted {
		return errRejected
	}
	return nil
}

// Reschedule installs a token with another expiry: the renewal moves.
func (c credential) Reschedule(ctx context.Context, t Token) error {
	return c.Install(ctx, managerToken(t))
}
