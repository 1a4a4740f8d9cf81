package tokentest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"example.com/tokenactor/tokentest"
)

// TestMain fails the run when goroutines are left at its end.
func TestMain(m *testing.M) {
	before := runtime.NumGoroutine()
	code := m.Run()
	if left := leftover(before); left > 0 && code == 0 {
		fmt.Fprintf(os.Stderr, "%d goroutines left:\n", left)
		pprof.Lookup("goroutine").WriteTo(os.Stderr, 1)
		code = 1
	}
	os.Exit(code)
}

// leftover gives goroutines which have done their work the time to leave the scheduler.
func leftover(before int) int {
	for range 200 {
		if runtime.NumGoroutine() <= before {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	return runtime.NumGoroutine() - before
}

// reply is what a program sees of a token call.
type reply struct {
	status  int
	header  http.Header
	text    string
	access  string
	refresh string
	members map[string]any // nil: not JSON
}

// ask sends form to the token endpoint, as the server's client with its secret in it.
func ask(client *http.Client, srv *tokentest.Server, form url.Values) (reply, error) {
	form.Set("client_id", srv.ClientID())
	form.Set("client_secret", srv.ClientSecret())
	resp, err := client.PostForm(srv.TokenURL(), form)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return reply{}, err
	}
	r := reply{status: resp.StatusCode, header: resp.Header, text: string(body)}
	if json.Unmarshal(body, &r.members) == nil {
		r.access, _ = r.members["access_token"].(string)
		r.refresh, _ = r.members["refresh_token"].(string)
	}
	return r, nil
}

func refresh(srv *tokentest.Server, token string) (reply, error) {
	return ask(srv.Client(), srv, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
}

// mustRefresh is a refresh that is accepted.
func mustRefresh(t *testing.T, srv *tokentest.Server, token string) reply {
	t.Helper()
	r, err := refresh(srv, token)
	if err != nil || r.status != http.StatusOK || r.access == "" {
		t.Fatalf("refresh: status %d, %q, error %v", r.status, r.text, err)
	}
	return r
}

// refused is a refresh that is not; it returns its error code.
func refused(t *testing.T, srv *tokentest.Server, token string) string {
	t.Helper()
	r, err := refresh(srv, token)
	if err != nil || r.status == http.StatusOK {
		t.Fatalf("refresh: status %d, %q, error %v; want a refusal", r.status, r.text, err)
	}
	code, _ := r.members["error"].(string)
	return code
}

// call sends a request to the API and returns its answer, the body read.
func call(t *testing.T, srv *tokentest.Server, method, path, token, body string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, srv.APIURL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := srv.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

// get is the status of a GET with this access token.
func get(t *testing.T, srv *tokentest.Server, token string) int {
	t.Helper()
	resp, _ := call(t, srv, http.MethodGet, "/", token, "")
	return resp.StatusCode
}

// newServer is closed with the test, and leaves no call under way.
func newServer(t *testing.T, opts tokentest.Options) *tokentest.Server {
	srv := tokentest.New(opts)
	t.Cleanup(func() { srv.Close() })
	return srv
}

// started is the same on loopback.
func started(t *testing.T, opts tokentest.Options) *tokentest.Server {
	t.Helper()
	srv := newServer(t, opts)
	if err := srv.Start(); err != nil {
		t.Fatal(err)
	}
	return srv
}

// both runs test in memory and on loopback.
func both(t *testing.T, opts tokentest.Options, test func(t *testing.T, srv *tokentest.Server)) {
	t.Run("memory", func(t *testing.T) { test(t, newServer(t, opts)) })
	t.Run("loopback", func(t *testing.T) { test(t, started(t, opts)) })
}
