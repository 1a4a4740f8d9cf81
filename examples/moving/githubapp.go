package moving

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/oauth2"

	"example.com/tokenactor/client"
	"example.com/tokenactor/manager"
	"example.com/tokenactor/oauth"
)

// An installation is what such programs have: a TokenSource of their own.
type installation struct {
	ctx             context.Context
	server, app, id string
	key             *rsa.PrivateKey
}

// page: begin
func (i installation) Token() (*oauth2.Token, error) {
	now := time.Now()
	signed, err := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.RegisteredClaims{
		Issuer:    i.app,
		IssuedAt:  jwt.NewNumericDate(now.Add(-time.Minute)),
		ExpiresAt: jwt.NewNumericDate(now.Add(5 * time.Minute)),
	}).SignedString(i.key)
	if err != nil {
		return nil, err
	}
	return exchange(i.ctx, i.server+"/app/installations/"+i.id+"/access_tokens", signed)
}

// page: end

// exchange asks for the token of an installation.
func exchange(ctx context.Context, url, jwt string) (*oauth2.Token, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+jwt)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		return nil, fmt.Errorf("the installation's token: %s", resp.Status)
	}
	var answer struct {
		Token   string    `json:"token"`
		Expires time.Time `json:"expires_at"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return nil, err
	}
	return &oauth2.Token{AccessToken: answer.Token, Expiry: answer.Expires}, nil
}

func gitHubAppBefore(ctx context.Context, source installation) *http.Client {
	// page: begin
	api := oauth2.NewClient(ctx, oauth2.ReuseTokenSource(nil, source)) // one for each installation
	// page: end
	return api
}

func gitHubAppAfter(m *manager.Manager, server, app string, pem []byte, installations ...string) (map[string]*http.Client, error) {
	clients := make(map[string]*http.Client)
	// page: begin
	key, err := oauth.ParseKey(pem, "")
	if err != nil {
		return nil, err
	}
	// One Refresher for all installations: each credential's name is its installation.
	login := manager.RefresherFunc(func(ctx context.Context, id string, _ manager.Token) (manager.Token, error) {
		jwt, err := key.Sign(oauth.Claims{Issuer: app}, time.Now())
		if err != nil {
			return manager.Token{}, err
		}
		token, err := exchange(ctx, server+"/app/installations/"+id+"/access_tokens", jwt)
		if err != nil {
			return manager.Token{}, err
		}
		return oauth.FromToken(token), nil
	})
	for _, id := range installations {
		clients[id] = client.New(m.Manage(id, login))
	}
	// page: end
	return clients, nil
}
