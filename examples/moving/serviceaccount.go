package moving

import (
	"context"
	"net/http"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/jwt"

	"example.com/tokenactor/client"
	"example.com/tokenactor/manager"
	"example.com/tokenactor/oauth"
)

func serviceAccountBefore(ctx context.Context, email, keyID, tokenURL string, pem []byte) *http.Client {
	// page: begin
	cfg := jwt.Config{
		Email:        email,
		PrivateKey:   pem,
		PrivateKeyID: keyID,
		Scopes:       []string{"reports:read"},
		TokenURL:     tokenURL,
	}
	api := cfg.Client(ctx)
	// page: end
	return api
}

func serviceAccountAfter(m *manager.Manager, email, keyID, tokenURL string, pem []byte) (*http.Client, error) {
	// page: begin
	key, err := oauth.ParseKey(pem, keyID)
	if err != nil {
		return nil, err
	}
	cfg := oauth2.Config{Endpoint: oauth2.Endpoint{TokenURL: tokenURL}}
	robot := m.Manage("robot", oauth.JWTBearer(cfg, key.Assertion(oauth.Claims{
		Issuer:   email,
		Audience: tokenURL,
		More:     map[string]any{"scope": "reports:read"}, // where Google reads it; others: cfg.Scopes
	})))
	api := client.New(robot)
	// page: end
	return api, nil
}
