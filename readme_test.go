// Package tokenactor_test holds the README to its word.
package tokenactor_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/oauth2/clientcredentials"

	"example.com/tokenactor/client"
	"example.com/tokenactor/manager"
	"example.com/tokenactor/oauth"
	"example.com/tokenactor/persist"
	"example.com/tokenactor/tokentest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The first screen of the README, against a server of its own.
func Example() {
	server := tokentest.New(tokentest.Options{})
	if err := server.Start(); err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	dir, err := os.MkdirTemp("", "tokenactor")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	status, err := firstScreen(filepath.Join(dir, "tokens.db"), server.APIURL()+"/invoices", clientcredentials.Config{
		ClientID:     server.ClientID(),
		ClientSecret: server.ClientSecret(),
		TokenURL:     server.TokenURL(),
	})
	fmt.Println(status, err)
	// Output: 200 OK <nil>
}

func firstScreen(file, url string, config clientcredentials.Config) (string, error) {
	// README: begin
	db, err := persist.Open(file, persist.Options{})
	if err != nil {
		return "", err
	}
	defer db.Close()
	m, err := manager.New(manager.Config{Store: db})
	if err != nil {
		return "", err
	}
	defer m.Close()

	billing := m.Manage("billing", oauth.ClientCredentials(config))
	api := client.New(billing) // *http.Client: a 401 costs one refresh and one replay
	resp, err := api.Get(url)
	// README: end
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	return resp.Status, nil
}

// Without OAuth: any function that signs in, one for all tenants if you like.
func Example_anyLogin() {
	signIn := func(_ context.Context, tenant string) (string, error) { return "session of " + tenant, nil }
	tenants := []string{"red", "green"}

	m, err := manager.New(manager.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()
	// README: begin
	login := manager.RefresherFunc(func(ctx context.Context, name string, prev manager.Token) (manager.Token, error) {
		session, err := signIn(ctx, name) // prev is the zero Token the first time
		return manager.Token{AccessToken: manager.NewSecret(session)}, err
	})
	for _, tenant := range tenants {
		m.Manage(tenant, login)
	}
	// README: end
	token, err := m.Manage("green", login).Token(context.Background())
	fmt.Println(token.AccessToken.Reveal(), err)
	// Output: session of green <nil>
}

// TestReadmeCode: what the README shows is what the Examples run.
func TestReadmeCode(t *testing.T) {
	readme := read(t, "README.md")
	blocks := strings.Split(read(t, "readme_test.go"), "// README: "+"begin\n")[1:]
	if len(blocks) != 2 {
		t.Fatalf("got %d marked blocks, want 2", len(blocks))
	}
	for _, block := range blocks {
		code, _, _ := strings.Cut(block, "// README: "+"end")
		code = strings.TrimRight(strings.ReplaceAll("\n"+code, "\n\t", "\n"), "\t\n ")
		if !strings.Contains(readme, code+"\n") {
			t.Errorf("README.md lacks this code of readme_test.go:\n%s", code)
		}
	}
}

// TestReadmeLinks: what it links to is there, files and tests.
func TestReadmeLinks(t *testing.T) {
	for _, page := range []string{"README.md", "CONTRIBUTING.md", "docs/design.md", "docs/scenarios.md", "docs/moving-from-oauth2.md", "docs/fleet.md"} {
		for _, rest := range strings.Split(read(t, page), "](")[1:] {
			target, _, ok := strings.Cut(rest, ")")
			if !ok || strings.Contains(target, "://") || strings.HasPrefix(target, "#") {
				continue
			}
			file := filepath.Join(filepath.Dir(page), target)
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s: the link %q leads nowhere: %v", page, target, err)
			}
		}
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
