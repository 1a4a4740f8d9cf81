package moving

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/jwt"
	"google.golang.org/api/drive/v3"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/oauth"
	"example.com/tokenactor/tokentest"
)

// serve starts a server on loopback.
func serve(t *testing.T, options tokentest.Options) *tokentest.Server {
	t.Helper()
	srv := tokentest.New(options)
	if err := srv.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { srv.Close() })
	return srv
}

func begin(t *testing.T) *manager.Manager {
	t.Helper()
	m, err := manager.New(manager.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

func expect(t *testing.T, api *http.Client, url string) {
	t.Helper()
	resp, err := api.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("got %s", resp.Status)
	}
}

// revoke lets the server forget all access tokens: what comes after survives it, what
// was before does not.
func revoke(t *testing.T, srv *tokentest.Server, before, after *http.Client) {
	t.Helper()
	srv.RevokeAccess()
	resp, err := before.Get(srv.APIURL())
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("before: got %s for a revoked token", resp.Status)
	}
	expect(t, after, srv.APIURL())
}

func TestClientCredentials(t *testing.T) {
	srv := serve(t, tokentest.Options{})
	before := clientCredentialsBefore(t.Context(), srv.ClientID(), srv.ClientSecret(), srv.TokenURL())
	expect(t, before, srv.APIURL())
	after, m, err := clientCredentialsAfter(srv.ClientID(), srv.ClientSecret(), srv.TokenURL())
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	expect(t, after, srv.APIURL())
	revoke(t, srv, before, after)
}

func TestUserToken(t *testing.T) {
	srv := serve(t, tokentest.Options{})
	cfg := oauth2.Config{ClientID: srv.ClientID(), ClientSecret: srv.ClientSecret(),
		Endpoint: oauth2.Endpoint{TokenURL: srv.TokenURL(), AuthStyle: oauth2.AuthStyleInHeader}}
	dir := t.TempDir()
	t.Chdir(dir)
	write := func() {
		login := srv.Login()
		data, err := json.Marshal(&oauth2.Token{AccessToken: login.AccessToken, RefreshToken: login.RefreshToken, Expiry: time.Now().Add(-time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile("token.json", data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write()
	before, err := userTokenBefore(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, before, srv.APIURL())

	write()
	for range 3 { // three runs of the program, which spend three refresh tokens
		after, p, err := userTokenAfter(t.Context(), cfg, filepath.Join(dir, "tokens.db"), "token.json")
		if err != nil {
			t.Fatal(err)
		}
		expect(t, after, srv.APIURL())
		srv.RevokeAccess()
		expect(t, after, srv.APIURL())
		if err := p.close(); err != nil {
			t.Fatal(err)
		}
	}
	if stats := srv.Stats(); stats.Reuses != 0 {
		t.Errorf("got %+v, want no reuse", stats)
	}
}

// account is a private key, and its PEM.
func account(t *testing.T) (*rsa.PrivateKey, []byte) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key, pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
}

func TestServiceAccount(t *testing.T) {
	key, data := account(t)
	srv := serve(t, tokentest.Options{AssertionKey: key.Public()})
	before := serviceAccountBefore(t.Context(), "robot@example.com", "key-1", srv.TokenURL(), data)
	after, err := serviceAccountAfter(begin(t), "robot@example.com", "key-1", srv.TokenURL(), data)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, after, srv.APIURL())
	expect(t, before, srv.APIURL())
}

func TestGitHubApp(t *testing.T) {
	key, data := account(t)
	var issued atomic.Int64
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		installation, isToken := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/app/installations/"), "/access_tokens")
		_, bearer, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		switch {
		case isToken && r.Method == http.MethodPost && strings.Count(bearer, ".") == 2:
			w.WriteHeader(http.StatusCreated)
			fmt.Fprintf(w, `{"token":"ghs_%s_%d","expires_at":%q}`, installation, issued.Add(1), time.Now().Add(time.Hour).Format(time.RFC3339))
		case strings.HasPrefix(bearer, "ghs_"+r.URL.Query().Get("installation")+"_"):
		default:
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	defer api.Close()
	before := gitHubAppBefore(t.Context(), installation{t.Context(), api.URL, "app", "1", key})
	expect(t, before, api.URL+"/repos?installation=1")

	clients, err := gitHubAppAfter(begin(t), api.URL, "app", data, "1", "2")
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		expect(t, clients["1"], api.URL+"/repos?installation=1")
		expect(t, clients["2"], api.URL+"/repos?installation=2")
	}
	if n := issued.Load(); n != 3 {
		t.Errorf("got %d tokens, want one before and one for each installation", n)
	}
}

func TestGoogleAPI(t *testing.T) {
	key, data := account(t)
	srv := serve(t, tokentest.Options{AssertionKey: key.Public()})
	ctx := context.Background()
	k, err := oauth.ParseKey(data, "")
	if err != nil {
		t.Fatal(err)
	}
	robot := begin(t).Manage("robot", oauth.JWTBearer(oauth2.Config{Endpoint: oauth2.Endpoint{TokenURL: srv.TokenURL()}},
		k.Assertion(oauth.Claims{Issuer: "robot@example.com", Audience: srv.TokenURL()})))
	before, err := googleAPIBefore(ctx, jwt.Config{Email: "robot@example.com", PrivateKey: data, TokenURL: srv.TokenURL()})
	if err != nil || before == nil {
		t.Fatal(err)
	}
	after, err1 := googleAPIAfter(ctx, robot)
	bridge, err2 := googleAPIBridge(ctx, robot)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	for name, service := range map[string]*drive.Service{"client": after, "bridge": bridge} {
		service.BasePath = srv.APIURL() + "/"
		if _, err := service.About.Get().Fields("user").Do(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if stats := srv.Stats(); stats.ClientGrants != 1 || stats.Accepted != 2 {
		t.Errorf("got %+v, want one token for both", stats)
	}
}

// The page's code is this package's, and all of what is marked here is on the page.
func TestPage(t *testing.T) {
	text, err := os.ReadFile("../../docs/moving-from-oauth2.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	marked := make(map[string]string) // code → file
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, rest := range strings.Split(string(source), "// page: begin\n")[1:] {
			code, _, ok := strings.Cut(rest, "// page: end")
			if !ok {
				t.Errorf("%s: a mark without its end", file)
			}
			code = strings.TrimRight(code, "\t\n ")
			if strings.HasPrefix(code, "\t") { // of a function's body
				code = strings.ReplaceAll("\n"+code, "\n\t", "\n")[1:]
			}
			marked[code] = file
		}
	}
	blocks := strings.Split(string(text), "```go\n")[1:]
	for i, rest := range blocks {
		code, _, _ := strings.Cut(rest, "\n```")
		if _, ok := marked[code]; !ok {
			t.Errorf("block %d of the page is not in this package:\n%s", i+1, code)
		}
		delete(marked, code)
	}
	for code, file := range marked {
		t.Errorf("%s: not on the page:\n%s", file, code)
	}
}
