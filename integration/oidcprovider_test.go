package integration

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"
)

var oidcProvider = kind{
	name: "oidc-provider 9.13.3",
	start: func(t testing.TB, life time.Duration) *server {
		return startOIDCProvider(t, map[string]any{"life": life.Seconds(), "jwk": publicJWK()})
	},
	lacks: map[string]string{
		jwtBearer:     "no such grant in it",
		tokenExchange: "no such grant in it",
		password:      "no such grant in it",
	},
}

// startOIDCProvider runs oidc/server.mjs with node, until the test ends.
func startOIDCProvider(t testing.TB, configuration map[string]any) *server {
	t.Helper()
	if err := nodeReady(); err != nil {
		if inCI() {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	argument, err := json.Marshal(configuration)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", "server.mjs", string(argument))
	cmd.Dir = "oidc"
	said := &bytes.Buffer{}
	cmd.Stderr = said
	in, err := cmd.StdinPipe() // its end is the server's
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		stop := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		err := cmd.Wait()
		stop.Stop()
		if t.Failed() {
			t.Logf("oidc-provider ended (%v) and had said:\n%s", err, said)
		}
	})

	var ready struct {
		Issuer string `json:"issuer"`
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &ready)
	}
	if err != nil {
		t.Fatalf("oidc-provider did not start: %v", err)
	}
	s := &server{
		issuer: ready.Issuer,
		endpoint: oauth2.Endpoint{
			AuthURL:       ready.Issuer + "/auth",
			TokenURL:      ready.Issuer + "/token",
			DeviceAuthURL: ready.Issuer + "/device/auth",
		},
		revokeURL:     ready.Issuer + "/token/revocation",
		introspectURL: ready.Issuer + "/token/introspection",
		userURL:       ready.Issuer + "/me",
		params:        url.Values{"prompt": {"consent"}}, // or there is no refresh token (OpenID Connect Core section 11)
		user:          browser{name: "alice", password: "any"},
	}
	s.machines("invoices:read")
	s.users("openid", "offline_access")
	return s
}

// nodeReady says why oidc-provider cannot run here, nil if it can.
func nodeReady() error {
	// URL.parse came late to node 20; without it every DPoP proof is refused.
	found, err := exec.Command("node", "-p", "typeof URL.parse + ' ' + process.version").Output()
	if err != nil {
		return fmt.Errorf("oidc-provider needs node 22, or a late 20: %w", err)
	}
	if !strings.HasPrefix(string(found), "function ") {
		return fmt.Errorf("oidc-provider needs node 22, or a late 20; here URL.parse is %s", strings.TrimSpace(string(found)))
	}
	if _, err := os.Stat("oidc/node_modules/oidc-provider/package.json"); errors.Is(err, fs.ErrNotExist) {
		return errors.New("oidc-provider is not installed: npm ci --prefix integration/oidc")
	}
	return nil
}

// inCI reports whether whatever is missing is a failure.
func inCI() bool { return os.Getenv("CI") == "true" }
