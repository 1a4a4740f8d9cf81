package moving

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"

	"golang.org/x/oauth2"

	"example.com/tokenactor/client"
	"example.com/tokenactor/manager"
	"example.com/tokenactor/oauth"
	"example.com/tokenactor/persist"
)

func userTokenBefore(ctx context.Context, cfg oauth2.Config) (*http.Client, error) {
	// page: begin
	data, err := os.ReadFile("token.json")
	if err != nil {
		return nil, err
	}
	var token oauth2.Token
	if err := json.Unmarshal(data, &token); err != nil {
		return nil, err
	}
	api := cfg.Client(ctx, &token) // a new refresh token stays in memory, and is lost at the end
	// page: end
	return api, nil
}

// A userProgram is what has to be closed at the end, in this order.
type userProgram struct {
	manager *manager.Manager
	db      *persist.DB
}

func (p userProgram) close() error { return errors.Join(p.manager.Close(), p.db.Close()) }

func userTokenAfter(ctx context.Context, cfg oauth2.Config, file, oldFile string) (*http.Client, userProgram, error) {
	var p userProgram
	readToken := func() (*oauth2.Token, error) {
		data, err := os.ReadFile(oldFile)
		if err != nil {
			return nil, err
		}
		var token oauth2.Token
		return &token, json.Unmarshal(data, &token)
	}
	// page: begin
	db, err := persist.Open(file, persist.Options{})
	if err != nil {
		return nil, p, err
	}
	m, err := manager.New(manager.Config{Store: db})
	if err != nil {
		return nil, p, err
	}
	alice := m.Manage("alice", oauth.RefreshToken(cfg))
	_, err = alice.Token(ctx)
	if errors.Is(err, manager.ErrLoginRequired) && alice.Status().Login == 0 {
		// There never was a login in the new file: take over that of the old one, once.
		old, err := readToken()
		if err != nil {
			return nil, p, err
		}
		if err := alice.Install(ctx, oauth.FromToken(old)); err != nil {
			return nil, p, err
		}
	}
	api := client.New(alice)
	// page: end
	p.manager, p.db = m, db
	return api, p, nil
}
