package tokentest_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"example.com/tokenactor/tokentest"
)

func TestURLs(t *testing.T) {
	srv := newServer(t, tokentest.Options{})
	if srv.URL() != "" || srv.TokenURL() != "https://auth.example.com/token" ||
		srv.RevokeURL() != "https://auth.example.com/revoke" || srv.APIURL() != "https://api.example.com" {
		t.Errorf("in memory: %q %q %q %q", srv.URL(), srv.TokenURL(), srv.RevokeURL(), srv.APIURL())
	}
	if err := srv.Start(); err != nil {
		t.Fatal(err)
	}
	base := srv.URL()
	if !strings.HasPrefix(base, "http://127.0.0.1:") || srv.TokenURL() != base+"/token" ||
		srv.RevokeURL() != base+"/revoke" || srv.APIURL() != base {
		t.Errorf("on loopback: %q %q %q %q", base, srv.TokenURL(), srv.RevokeURL(), srv.APIURL())
	}
	if srv.Start() == nil {
		t.Error("a second Start is no error")
	}
	srv.Close()
	if srv.Start() == nil {
		t.Error("Start after Close is no error")
	}
}

// Workers lose their tokens again and again, and none is refused for another reason.
func TestWorkers(t *testing.T) {
	both(t, tokentest.Options{RevokeRate: 0.01, Log: -1}, func(t *testing.T, srv *tokentest.Server) {
		const workers, requests = 32, 50
		client := srv.Client()
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() {
				token := srv.Login().AccessToken
				for range requests {
					req, _ := http.NewRequest(http.MethodGet, srv.APIURL()+"/page", nil)
					req.Header.Set("Authorization", "Bearer "+token)
					resp, err := client.Do(req)
					if err != nil {
						t.Error(err)
						return
					}
					resp.Body.Close()
					if resp.StatusCode == http.StatusUnauthorized {
						token = srv.Login().AccessToken
					}
				}
			})
		}
		wg.Wait()
		got := srv.Stats()
		if got.APICalls != workers*requests || got.Accepted+got.Unauthorized != got.APICalls ||
			got.Unauthorized != got.Logins-workers {
			t.Errorf("%+v", got)
		}
	})
}

// The server is a handler for a listener of somebody else's, too.
func TestHandler(t *testing.T) {
	srv := newServer(t, tokentest.Options{})
	own := httptest.NewServer(srv)
	defer own.Close()
	resp, err := own.Client().PostForm(own.URL+"/token", url.Values{
		"grant_type": {"client_credentials"}, "client_id": {srv.ClientID()}, "client_secret": {srv.ClientSecret()},
	})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("%d, want 200", resp.StatusCode)
	}

	srv.Next(tokentest.Lost()) // a recorder cannot be hijacked
	defer func() {
		if got := recover(); got != http.ErrAbortHandler {
			t.Errorf("panic %v, want http.ErrAbortHandler", got)
		}
	}()
	srv.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/token", nil))
}

// BenchmarkAccept is a request with a good token, the client's side included. "bare" is a
// handler with a fixed answer: what the protected API costs is the difference from "loopback".
func BenchmarkAccept(b *testing.B) {
	run := func(b *testing.B, client *http.Client, url, bearer string) {
		b.ReportAllocs()
		b.SetParallelism(100)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				req, _ := http.NewRequest(http.MethodGet, url, nil)
				req.Header.Set("Authorization", bearer)
				resp, err := client.Do(req)
				if err != nil {
					b.Error(err)
					return
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
		})
	}
	srv := tokentest.New(tokentest.Options{})
	defer srv.Close()
	bearer := "Bearer " + srv.Login().AccessToken
	b.Run("memory", func(b *testing.B) { run(b, srv.Client(), srv.APIURL(), bearer) })
	if err := srv.Start(); err != nil {
		b.Fatal(err)
	}
	b.Run("loopback", func(b *testing.B) { run(b, srv.Client(), srv.APIURL(), bearer) })
	b.Run("bare", func(b *testing.B) {
		bare := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, `{"method":"GET","path":"/","bytes":0,"family":1,"serial":1}`)
		}))
		defer bare.Close()
		run(b, srv.Client(), bare.URL, bearer)
	})
}
