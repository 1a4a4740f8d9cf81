package oauth_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"

	"example.com/tokenactor/client"
	"example.com/tokenactor/manager"
	"example.com/tokenactor/oauth"
	"example.com/tokenactor/tokentest"
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
	err = user.Install(ctx, oauth.FromToken(login))
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

// A service account: a key signs an assertion for each token. Where the server finds
// the public part by a key id, ParseKey is told it.
func ExampleJWTBearer() {
	m, err := manager.New(manager.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()

	pem, err := os.ReadFile("service-account.pem")
	if err != nil {
		log.Fatal(err)
	}
	key, err := oauth.ParseKey(pem, "key-1")
	if err != nil {
		log.Fatal(err)
	}
	cfg := oauth2.Config{
		Endpoint: oauth2.Endpoint{TokenURL: "https://auth.example.com/token"},
		Scopes:   []string{"reports:read"},
	}
	robot := m.Manage("robot", oauth.JWTBearer(cfg, key.Assertion(oauth.Claims{
		Issuer:   "robot@project.example.com",
		Subject:  "robot@project.example.com",
		Audience: cfg.Endpoint.TokenURL,
	})))
	token, err := robot.Token(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(token)
}

// A user logs in on another device; the program says where, and waits.
func ExampleDeviceLogin() {
	server := tokentest.New(tokentest.Options{PollInterval: time.Millisecond})
	defer server.Close()
	user := func(code string) { server.Decide(code, "") } // says yes on the other device

	cfg := oauth2.Config{
		ClientID:     server.ClientID(),
		ClientSecret: server.ClientSecret(),
		Endpoint:     oauth2.Endpoint{DeviceAuthURL: server.DeviceURL(), TokenURL: server.TokenURL()},
		Scopes:       []string{"read"},
	}
	options := oauth.Options{Client: server.Client()}
	m, err := manager.New(manager.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	c := m.Manage("user", oauth.RefreshToken(cfg, options))

	ctx := context.Background()
	if _, err := c.Token(ctx); errors.Is(err, manager.ErrLoginRequired) {
		login, err := oauth.DeviceLogin(ctx, cfg, func(_ context.Context, code oauth.DeviceCode) error {
			fmt.Println("Go to", code.URL, "and enter the code.")
			user(code.UserCode)
			return nil
		}, options)
		if err != nil {
			log.Fatal(err)
		}
		if err := c.Install(ctx, login); err != nil {
			log.Fatal(err)
		}
	}
	token, err := c.Token(ctx)
	fmt.Println(token.Scope, err)
	// Output:
	// Go to https://auth.example.com/activate and enter the code.
	// read <nil>
}

// A user logs in with a browser on this machine. Everything but the name of the
// server is discovered.
func ExampleCodeLogin() {
	server := tokentest.New(tokentest.Options{Public: true})
	if err := server.Start(); err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	browser := func(ctx context.Context, url string) error { // exec.Command("xdg-open", url).Start()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		resp, err := server.Client().Do(req)
		if err != nil {
			return err
		}
		return resp.Body.Close()
	}

	options := oauth.Options{Issuer: oauth.NewIssuer(server.Issuer()), Revoke: true}
	cfg := oauth2.Config{ClientID: server.ClientID(), Scopes: []string{"read"}}
	m, err := manager.New(manager.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	c := m.Manage("user", oauth.RefreshToken(cfg, options))

	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute) // for the user to make up their mind
	defer cancel()
	login, err := oauth.CodeLogin(ctx, cfg, browser, options)
	if err != nil {
		log.Fatal(err)
	}
	if err := c.Install(ctx, login); err != nil {
		log.Fatal(err)
	}
	token, err := c.Token(ctx)
	fmt.Println(token.Scope, err)

	if err := c.Forget(ctx); err != nil { // at the server too: Revoke
		log.Fatal(err)
	}
	// Output: read <nil>
}

// Tokens that are of no use to a thief: each request is signed with a key that never
// leaves the program, or, as here, is stored with the token.
func ExampleDPoP() {
	server := tokentest.New(tokentest.Options{DPoP: true, Nonces: true})
	defer server.Close()
	m, err := manager.New(manager.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()

	dpop := oauth.NewDPoP(oauth.Key{})
	c := m.Manage("crawler", oauth.ClientCredentials(clientcredentials.Config{
		ClientID:     server.ClientID(),
		ClientSecret: server.ClientSecret(),
		TokenURL:     server.TokenURL(),
	}, oauth.Options{DPoP: dpop, Client: server.Client()}))
	api := &http.Client{Transport: &client.Transport{Source: c, Place: dpop, Base: server.Transport()}}

	resp, err := api.Get(server.APIURL() + "/invoices")
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	fmt.Println(resp.Status)
	// Output: 200 OK
}
