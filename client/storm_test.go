package client_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenactor/client"
	"example.com/tokenactor/manager"
	"example.com/tokenactor/tokentest"
)

// clientCredentials is the grant of RFC 6749 section 4.4, by hand.
func clientCredentials(srv *tokentest.Server) manager.RefresherFunc {
	return func(ctx context.Context, _ string, _ manager.Token) (manager.Token, error) {
		form := url.Values{"grant_type": {"client_credentials"}, "client_id": {srv.ClientID()}, "client_secret": {srv.ClientSecret()}}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, srv.TokenURL(), strings.NewReader(form.Encode()))
		if err != nil {
			return manager.Token{}, err
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := srv.Client().Do(req)
		if err != nil {
			return manager.Token{}, err
		}
		defer func() { _ = resp.Body.Close() }()
		var reply struct {
			AccessToken string `json:"access_token"`
			ExpiresIn   int    `json:"expires_in"`
		}
		if err := json.NewDecoder(resp.Body).Decode(&reply); err != nil || reply.AccessToken == "" {
			return manager.Token{}, fmt.Errorf("token endpoint answered %d: %w", resp.StatusCode, err)
		}
		return manager.Token{AccessToken: manager.NewSecret(reply.AccessToken), ExpiresIn: time.Duration(reply.ExpiresIn) * time.Second}, nil
	}
}

// A thousand workers send GET, POST with and without GetBody, streams and files,
// some of them redirected abroad, while the API revokes the token every 50 ms:
// each body arrives whole and once, nothing is told abroad, each revocation
// costs one refresh, and every body is closed once.
func TestThousandConcurrentRequestsOfMixedKinds(t *testing.T) {
	name := filepath.Join(t.TempDir(), "upload")
	if err := os.WriteFile(name, []byte(strings.Repeat("file ", 5000)), 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		const workers, each, revocations = 1000, 6, 30
		srv := tokentest.New(tokentest.Options{Log: 2 * workers * each})
		defer func() { _ = srv.Close() }()
		m, err := manager.New(manager.Config{Logger: quiet})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := m.Close(); err != nil {
				t.Error(err)
			}
		}()
		var abroad atomic.Int32
		base := baseFunc(func(req *http.Request) (*http.Response, error) {
			if req.URL.Host == "files.example.com" {
				abroad.Add(1)
				dump, _ := httputil.DumpRequest(req, true)
				if s := string(dump); strings.Contains(s, "Authorization") || strings.Contains(s, "Bearer") {
					t.Errorf("told abroad:\n%s", s)
				}
				return answer(http.StatusUnauthorized, `Bearer error="invalid_token"`, ""), nil
			}
			resp, err := srv.Transport().RoundTrip(req)
			time.Sleep(rand.N(10 * time.Millisecond)) // the answer's way home
			if err == nil && strings.HasPrefix(req.URL.Path, "/away/") && resp.StatusCode == http.StatusOK {
				resp.StatusCode = http.StatusFound
				resp.Header.Set("Location", "https://files.example.com"+req.URL.Path)
			}
			return resp, err
		})
		grant := clientCredentials(srv)
		slow := manager.RefresherFunc(func(ctx context.Context, name string, prev manager.Token) (manager.Token, error) {
			time.Sleep(3 * time.Millisecond)
			return grant(ctx, name, prev)
		})
		api := &http.Client{Transport: &client.Transport{Source: m.Manage("api", slow), Base: base}}

		var revoker sync.WaitGroup
		revoker.Go(func() {
			// Not Options.RevokeEvery, nor until the last worker ends: two revocations
			// may then go unnoticed in a row while an answer is on its way, and a 401
			// after the replay is right.
			for range revocations {
				time.Sleep(50 * time.Millisecond)
				srv.RevokeAccess()
			}
		})
		var all sync.WaitGroup
		for worker := range workers {
			all.Go(func() {
				for i := range each {
					time.Sleep(rand.N(800 * time.Millisecond))
					mixed(t, api, srv.APIURL(), name, worker, i)
				}
			})
		}
		all.Wait()
		revoker.Wait()

		accepted := map[string]int{}
		for _, call := range srv.Calls() {
			if call.Kind == tokentest.KindAPI && call.Status == http.StatusOK {
				accepted[call.Path]++
			}
		}
		for path, n := range accepted {
			if n != 1 {
				t.Errorf("%s was accepted %d times, want once", path, n)
			}
		}
		stats := srv.Stats()
		if len(accepted) != workers*each || abroad.Load() != workers {
			t.Errorf("%d requests accepted and %d sent abroad, want %d and %d", len(accepted), abroad.Load(), workers*each, workers)
		}
		if stats.TokenCalls != revocations+1 || stats.Unauthorized < revocations {
			t.Errorf("%d refreshes and %d rejections for %d revocations, want one refresh for each and the first", stats.TokenCalls, stats.Unauthorized, revocations)
		}
	})
}

// mixed sends one request of the kind that i says and checks what the API saw.
func mixed(t *testing.T, api *http.Client, apiURL, file string, worker, i int) {
	path := fmt.Sprintf("/%d/%d", worker, i)
	content := strings.Repeat(path+" ", 1+rand.N(3000))
	method := http.MethodPost
	var body io.Reader
	var counted *countedBody
	switch i {
	case 0:
		method, content, path = http.MethodGet, "", "/away"+path
	case 1:
		method, content = http.MethodGet, ""
	case 2:
		body = strings.NewReader(content)
	case 3:
		counted = newCountedBody(strings.NewReader(content))
		body = counted
	case 4:
		f := newCountedFile(strings.NewReader(content))
		counted, body = f.countedBody, f
	case 5:
		f, err := os.Open(file)
		if err != nil {
			t.Error(err)
			return
		}
		tracked := newCountedFile(f)
		counted, body, content = tracked.countedBody, tracked, strings.Repeat("file ", 5000)
	}
	resp, err := api.Do(mustRequest(t, method, apiURL+path, body))
	if err != nil {
		t.Errorf("%s %s: %v", method, path, err)
		return
	}
	reply := text(t, resp)
	if counted != nil {
		counted.check(t)
	}
	if strings.HasPrefix(path, "/away") {
		if resp.StatusCode != http.StatusUnauthorized || resp.Request.URL.Host != "files.example.com" {
			t.Errorf("%s: got %d from %s, want the 401 of the other host", path, resp.StatusCode, resp.Request.URL.Host)
		}
		return
	}
	var echo tokentest.Echo
	if err := json.Unmarshal([]byte(reply), &echo); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("%s %s: got %d %q", method, path, resp.StatusCode, reply)
		return
	}
	sum := ""
	if content != "" {
		digest := sha256.Sum256([]byte(content))
		sum = hex.EncodeToString(digest[:])
	}
	if echo.Path != path || echo.Bytes != int64(len(content)) || echo.SHA256 != sum {
		t.Errorf("%s %s: the API read %d bytes with sum %s, want %d with %s", method, path, echo.Bytes, echo.SHA256, len(content), sum)
	}
}
