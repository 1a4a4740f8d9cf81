package peers

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/gregjones/httpcache"
	"github.com/hashicorp/go-retryablehttp"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"

	"example.com/tokenactor/client"
)

var uploads = flag.Int("uploads", 8, "uploads of each kind of body")

// A body is a kind of body, made of the open file where it wants one.
type body struct {
	name   string
	resent bool // whatever part of it was read
	make   func(f *os.File) any
}

var (
	ofBytes  = body{"bytes", true, func(*os.File) any { return bytes.Clone(content) }}
	ofReader = body{"bytes.Reader", true, func(*os.File) any { return bytes.NewReader(content) }}
	ofBuffer = body{"bytes.Buffer", true, func(*os.File) any { return bytes.NewBuffer(bytes.Clone(content)) }}
	ofFile   = body{"file", true, func(f *os.File) any { return f }}
	ofStream = body{"stream", false, func(*os.File) any { return struct{ io.Reader }{bytes.NewReader(content)} }}
	ofFunc   = body{"function", true, func(*os.File) any {
		return func() (io.Reader, error) { return bytes.NewReader(content), nil }
	}}
)

// hidden is the same body where a peer hides its Seek from us.
func (b body) hidden() body {
	b.resent = false
	return b
}

// kept is the same body where a peer keeps all of it.
func (b body) kept() body {
	b.resent = true
	return b
}

// A peer sends one upload in its own way.
type peer struct {
	name    string
	retries bool // a 503, without a race of its own: azcore rewinds a body that net/http may still read
	bodies  []body
	send    func(source client.Source, base http.RoundTripper) func(ctx context.Context, url string, body any) (*http.Response, error)
}

// plain sends by net/http.
func plain(rt http.RoundTripper) func(ctx context.Context, url string, body any) (*http.Response, error) {
	return func(ctx context.Context, url string, body any) (*http.Response, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPut, url, body.(io.Reader))
		if err != nil {
			return nil, err
		}
		return (&http.Client{Transport: rt}).Do(req)
	}
}

func retrying(rt http.RoundTripper) *retryablehttp.Client {
	c := retryablehttp.NewClient()
	c.HTTPClient = &http.Client{Transport: rt}
	c.Logger = nil
	c.RetryWaitMin, c.RetryWaitMax = time.Millisecond, 10*time.Millisecond
	return c
}

func pipeline(rt http.RoundTripper) runtime.Pipeline {
	return runtime.NewPipeline("peers", "v0.0.0", runtime.PipelineOptions{}, &policy.ClientOptions{
		Transport: &http.Client{Transport: rt},
		Retry:     policy.RetryOptions{RetryDelay: time.Millisecond, MaxRetryDelay: 10 * time.Millisecond},
	})
}

// azure is a pipeline as a RoundTripper.
type azure struct{ runtime.Pipeline }

func (a azure) RoundTrip(req *http.Request) (*http.Response, error) {
	wrapped, err := runtime.NewRequestFromRequest(req)
	if err != nil {
		return nil, err
	}
	return a.Do(wrapped)
}

var peers = []peer{
	{"azcore around", false, []body{ofReader, ofFile}, func(source client.Source, base http.RoundTripper) func(context.Context, string, any) (*http.Response, error) {
		p := pipeline(&client.Transport{Source: source, Base: base})
		return func(ctx context.Context, url string, body any) (*http.Response, error) {
			req, err := runtime.NewRequest(ctx, http.MethodPut, url)
			if err != nil {
				return nil, err
			}
			if err := req.SetBody(streaming.NopCloser(body.(io.ReadSeeker)), "application/octet-stream"); err != nil {
				return nil, err
			}
			return p.Do(req)
		}
	}},
	{"azcore beneath", false, []body{ofReader, ofBuffer, ofFile, ofStream}, func(source client.Source, base http.RoundTripper) func(context.Context, string, any) (*http.Response, error) {
		return plain(&client.Transport{Source: source, Base: azure{pipeline(base)}})
	}},
	{"retryablehttp around", true, []body{ofBytes, ofReader, ofBuffer, ofFile, ofFunc, ofStream.kept()}, func(source client.Source, base http.RoundTripper) func(context.Context, string, any) (*http.Response, error) {
		c := retrying(&client.Transport{Source: source, Base: base})
		return func(ctx context.Context, url string, body any) (*http.Response, error) {
			req, err := retryablehttp.NewRequestWithContext(ctx, http.MethodPut, url, body)
			if err != nil {
				return nil, err
			}
			return c.Do(req)
		}
	}},
	{"retryablehttp beneath", true, []body{ofReader, ofBuffer, ofFile, ofStream}, func(source client.Source, base http.RoundTripper) func(context.Context, string, any) (*http.Response, error) {
		return plain(&client.Transport{Source: source, Base: &retryablehttp.RoundTripper{Client: retrying(base)}})
	}},
	{"otelhttp around", false, []body{ofReader, ofBuffer, ofFile.hidden(), ofStream}, func(source client.Source, base http.RoundTripper) func(context.Context, string, any) (*http.Response, error) {
		return plain(otelhttp.NewTransport(&client.Transport{Source: source, Base: base}))
	}},
	{"otelhttp beneath", false, []body{ofReader, ofBuffer, ofFile, ofStream}, func(source client.Source, base http.RoundTripper) func(context.Context, string, any) (*http.Response, error) {
		return plain(&client.Transport{Source: source, Base: otelhttp.NewTransport(base)})
	}},
	{"httpcache around", false, []body{ofReader, ofBuffer, ofFile, ofStream}, func(source client.Source, base http.RoundTripper) func(context.Context, string, any) (*http.Response, error) {
		return plain(&httpcache.Transport{Transport: &client.Transport{Source: source, Base: base}, Cache: httpcache.NewMemoryCache()})
	}},
	{"httpcache beneath", false, []body{ofReader, ofBuffer, ofFile, ofStream}, func(source client.Source, base http.RoundTripper) func(context.Context, string, any) (*http.Response, error) {
		return plain(&client.Transport{Source: source, Base: &httpcache.Transport{Transport: base, Cache: httpcache.NewMemoryCache()}})
	}},
}

// overBoth runs f over HTTP/1.1 and HTTP/2.
func overBoth(t *testing.T, f func(t *testing.T, srv *server)) {
	for _, http2 := range []bool{false, true} {
		t.Run(map[bool]string{false: "HTTP/1.1", true: "HTTP/2"}[http2], func(t *testing.T) { f(t, newServer(t, http2)) })
	}
}

// Two workers upload; the server refuses their first token early, in the middle
// of the upload. Every upload arrives whole, or its caller has the 401; the token is
// renewed once for all. Where the peer sends what was answered 503 again, every other
// upload is.
func TestUploads(t *testing.T) {
	name := filepath.Join(t.TempDir(), "upload")
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, peer := range peers {
		for _, body := range peer.bodies {
			t.Run(peer.name+"/"+body.name, func(t *testing.T) {
				overBoth(t, func(t *testing.T, srv *server) { upload(t, srv, peer, body, name) })
			})
		}
	}
}

func upload(t *testing.T, srv *server, peer peer, body body, name string) {
	const workers = 2
	var mu sync.Mutex
	outcomes := map[string]int{}
	var all sync.WaitGroup
	for round := range max(1, *uploads/workers) {
		source, refreshes := newCredential(t)
		send := peer.send(source, srv.base)
		for worker := range workers {
			all.Go(func() {
				path := fmt.Sprintf("/%s/%d/%d", []string{"idle", "busy"}[worker%2], round, worker)
				if !peer.retries {
					path = "/idle" + path
				}
				f, err := os.Open(name)
				if err != nil {
					t.Error(err)
					return
				}
				defer func() { _ = f.Close() }()
				resp, err := send(t.Context(), srv.URL+path, body.make(f))
				outcome := "broken off"
				if err == nil {
					_, _ = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
					outcome = resp.Status[:3]
				} else if strings.Contains(err.Error(), "client: ") {
					t.Error(err)
				}
				switch arrived := srv.arrived(path); {
				case outcome == "200" && arrived == 0:
					t.Errorf("%s: 200 and nothing arrived whole", path)
				case outcome == "401" && (body.resent || arrived > 0), outcome == "503":
					t.Errorf("%s: got %s, %d arrived whole", path, outcome, arrived)
				}
				mu.Lock()
				outcomes[outcome]++
				mu.Unlock()
			})
		}
		all.Wait()
		if got := refreshes.Load(); got != 2 {
			t.Errorf("%d refreshes, want 2: the first, and one for all rejections", got)
		}
	}
	if n := srv.damaged.Load(); n > 0 {
		t.Errorf("%d uploads arrived damaged", n)
	}
	t.Log(outcomes)
}

// Through a cache, around or beneath, a GET is renewed once and then cached.
func TestCached(t *testing.T) {
	for _, around := range []bool{true, false} {
		overBoth(t, func(t *testing.T, srv *server) {
			source, refreshes := newCredential(t)
			var rt http.RoundTripper
			cache := httpcache.NewTransport(httpcache.NewMemoryCache())
			if around {
				cache.Transport = &client.Transport{Source: source, Base: srv.base}
				rt = cache
			} else {
				cache.Transport = srv.base
				rt = &client.Transport{Source: source, Base: cache}
			}
			for i := range 3 {
				req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+"/page", nil)
				resp, err := (&http.Client{Transport: rt}).Do(req)
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if err != nil || resp.StatusCode != http.StatusOK || !bytes.Equal(got, content) {
					t.Errorf("request %d: got %d and %d bytes, %v, want the page", i+1, resp.StatusCode, len(got), err)
				}
				if cached := resp.Header.Get(httpcache.XFromCache) != ""; cached != (i > 0) {
					t.Errorf("request %d came from the cache: %t", i+1, cached)
				}
			}
			if got := refreshes.Load(); got != 2 {
				t.Errorf("%d refreshes, want 2", got)
			}
		})
	}
}
