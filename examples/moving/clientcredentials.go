package moving

import (
	"context"
	"net/http"

	"golang.org/x/oauth2/clientcredentials"

	"example.com/tokenactor/client"
	"example.com/tokenactor/manager"
	"example.com/tokenactor/oauth"
)

func clientCredentialsBefore(ctx context.Context, id, secret, tokenURL string) *http.Client {
	// page: begin
	cfg := clientcredentials.Config{
		ClientID:     id,
		ClientSecret: secret,
		TokenURL:     tokenURL,
		Scopes:       []string{"invoices:read"},
	}
	api := cfg.Client(ctx)
	// page: end
	return api
}

func clientCredentialsAfter(id, secret, tokenURL string) (*http.Client, *manager.Manager, error) {
	// page: begin
	cfg := clientcredentials.Config{
		ClientID:     id,
		ClientSecret: secret,
		TokenURL:     tokenURL,
		Scopes:       []string{"invoices:read"},
	}
	m, err := manager.New(manager.Config{})
	if err != nil {
		return nil, nil, err
	}
	billing := m.Manage("billing", oauth.ClientCredentials(cfg))
	api := client.New(billing)
	// page: end
	return api, m, nil
}
