package oauth_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/oauth"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// A program that acts for itself.
func ExampleClientCredentials() {
	m, err := manager.New(manager.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()

	billing := m.Manage("billing", oauth.ClientCredentials(clientcredentials.Config{
		ClientID:     "crawler",
		ClientSecret: os.Getenv("BILLING_SECRET"),
		TokenURL:     "https://auth.example.com/token",
		Scopes:       []string{"invoices:read"},
	}))
	token, err := billing.Token(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(token) // without its secrets
}

// A user who has logged in before: x/oauth2 exchanges the code, the manager keeps
// the login from then on. With a Store it survives restarts, and Install is needed
// once.
func ExampleRefreshToken() {
	m, err := manager.New(manager.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()

	ctx := context.Background()
	cfg := oauth2.Config{
		ClientID: "desktop",
		Endpoint: oauth2.Endpoint{
			AuthURL:  "https://auth.example.com/authorize",
			TokenURL: "https://auth.example.com/token",
		},
	}
	user := m.Manage("user", oauth.RefreshToken(cfg))

	login, err := cfg.Exchange(ctx, "the code of the redirect")
	if err != nil {
		log.Fatal(err)
	}
	err = user.Install(ctx, manager.Token{
		AccessToken:  manager.NewSecret(login.AccessToken),
		RefreshToken: manager.NewSecret(login.RefreshToken),
		Type:         login.TokenType,
		Expiry:       login.Expiry,
	})
	if err != nil {
		log.Fatal(err)
	}
}

// Code that wants an oauth2.TokenSource gets one, without a cache in between.
func ExampleTokenSource() {
	m, err := manager.New(manager.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	billing := m.Manage("billing", oauth.ClientCredentials(clientcredentials.Config{
		ClientID:     "crawler",
		ClientSecret: os.Getenv("BILLING_SECRET"),
		TokenURL:     "https://auth.example.com/token",
	}))

	source := oauth.TokenSource(context.Background(), billing)
	api := &http.Client{Transport: &oauth2.Transport{Source: source}}
	resp, err := api.Get("https://api.example.com/invoices")
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
}
