package client_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenactor/client"
	"example.com/tokenactor/manager"
)

// retrying is what retry clients do: send again what fared badly.
type retrying struct{ next http.RoundTripper }

func (r retrying) RoundTrip(req *http.Request) (*http.Response, error) {
	for range 3 {
		resp, err := r.next.RoundTrip(req)
		if err != nil || resp.StatusCode != http.StatusServiceUnavailable {
			return resp, err
		}
		_ = resp.Body.Close()
		req = req.Clone(req.Context())
		if req.GetBody != nil {
			req.Body, _ = req.GetBody()
		}
	}
	return nil, errors.New("given up")
}

// tracing is what instrumentation does: a clone with another context.
type tracing struct{ next http.RoundTripper }

type spanKey struct{}

func (r tracing) RoundTrip(req *http.Request) (*http.Response, error) {
	return r.next.RoundTrip(req.Clone(context.WithValue(req.Context(), spanKey{}, "span")))
}

// In any order of decorators each request gets the newest token, its whole body
// and the caller's context.
func TestUnderAndOverOtherDecorators(t *testing.T) {
	for _, test := range []struct {
		name  string
		build func(source client.Source, base http.RoundTripper) http.RoundTripper
	}{
		{"retry around", func(s client.Source, base http.RoundTripper) http.RoundTripper {
			return retrying{&client.Transport{Source: s, Base: base}}
		}},
		{"retry beneath", func(s client.Source, base http.RoundTripper) http.RoundTripper {
			return &client.Transport{Source: s, Base: retrying{base}}
		}},
		{"tracing around", func(s client.Source, base http.RoundTripper) http.RoundTripper {
			return tracing{&client.Transport{Source: s, Base: retrying{base}}}
		}},
		{"tracing beneath", func(s client.Source, base http.RoundTripper) http.RoundTripper {
			return retrying{&client.Transport{Source: s, Base: tracing{base}}}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			type key struct{}
			var statuses []int
			source := newSource("T1")
			base := baseFunc(func(req *http.Request) (*http.Response, error) {
				body, err := io.ReadAll(req.Body)
				_ = req.Body.Close()
				if err != nil || string(body) != "hello" || req.Context().Value(key{}) != "mine" {
					t.Errorf("send %d: body %q (%v) in context %v", len(statuses)+1, body, err, req.Context())
				}
				status := http.StatusOK
				switch {
				case len(statuses)%2 == 0:
					status = http.StatusServiceUnavailable
				case req.Header.Get("Authorization") != "Bearer T2":
					status = http.StatusUnauthorized
				}
				statuses = append(statuses, status)
				return answer(status, "", ""), nil
			})
			ctx := context.WithValue(t.Context(), key{}, "mine")
			req, _ := http.NewRequestWithContext(ctx, http.MethodPost, "https://api.example.com/", strings.NewReader("hello"))
			resp, err := (&http.Client{Transport: test.build(source, base)}).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = text(t, resp)
			if resp.StatusCode != http.StatusOK || source.renewals() != 1 || len(statuses) != 4 {
				t.Errorf("got %d, %d renewals, answers %v, want 200, 1 and 503 401 503 200", resp.StatusCode, source.renewals(), statuses)
			}
		})
	}
}

// A redirect is recognized behind a decorator that clones requests.
func TestOriginBindingUnderADecorator(t *testing.T) {
	var seen []string
	base := baseFunc(func(req *http.Request) (*http.Response, error) {
		seen = append(seen, req.URL.Host+" "+req.Header.Get("Authorization"))
		resp := answer(http.StatusFound, "", "")
		resp.Header.Set("Location", "https://example.com/")
		if len(seen) > 1 {
			resp.StatusCode = http.StatusOK
		}
		return resp, nil
	})
	c := &http.Client{Transport: tracing{&client.Transport{Source: newSource("T1"), Base: base}}}
	if got := get(t, c, "https://api.example.com/"); got != http.StatusOK {
		t.Errorf("got %d, want 200", got)
	}
	if got := strings.Join(seen, ", "); got != "api.example.com Bearer T1, example.com " {
		t.Errorf("sent %s", got)
	}
}

// Behind a reverse proxy bodies stream through, are sent again, and a connection
// that changes its protocol stays writable.
func TestReverseProxy(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "echo" && r.Header.Get("Authorization") == "Bearer T2" {
			conn, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = conn.Close() }()
			_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
			_ = rw.Flush()
			line, _ := rw.ReadString('\n')
			_, _ = rw.WriteString(line)
			_ = rw.Flush()
			return
		}
		bearers("T2")(w, r)
	}))
	defer api.Close()
	target, _ := url.Parse(api.URL)
	source := newSource("T1")
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Header.Del("Authorization") // the visitor's, not ours
		},
		Transport: &client.Transport{
			Source: source, Base: api.Client().Transport,
			Rejected: client.RejectedBody(0, func(status int, _ []byte) bool { return status == http.StatusUnauthorized }),
		},
	})
	defer proxy.Close()

	req := mustRequest(t, http.MethodPost, proxy.URL, newCountedBody(strings.NewReader("streamed")))
	req.Header.Set("Authorization", "Bearer visitor")
	resp, err := proxy.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if got := text(t, resp); resp.StatusCode != http.StatusOK || got != "streamed" || source.renewals() != 1 {
		t.Errorf("got %d %q and %d renewals, want the body back and 1", resp.StatusCode, got, source.renewals())
	}

	conn, err := net.Dial("tcp", proxy.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: proxy.example.com\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	r := bufio.NewReader(conn)
	upgraded, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(conn, "ping\n")
	if line, err := r.ReadString('\n'); upgraded.StatusCode != http.StatusSwitchingProtocols || line != "ping\n" {
		t.Errorf("got %d and %q, %v, want 101 and an echo", upgraded.StatusCode, line, err)
	}
}

// stuck is a Source whose tokens, or whose renewals, never come.
type stuck struct {
	client.Source
	token bool
}

func (s stuck) Token(ctx context.Context) (*manager.Token, error) {
	if !s.token {
		return s.Source.Token(ctx)
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

func (s stuck) Renew(ctx context.Context, _ *manager.Token) (*manager.Token, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// A time limit or a cancelled context ends the wait for a token and for a
// renewal; the body is closed.
func TestCallersContextEndsTheWait(t *testing.T) {
	for _, token := range []bool{true, false} {
		for _, limit := range []time.Duration{0, time.Minute} {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if limit == 0 {
					time.AfterFunc(time.Minute, cancel)
				}
				body := newCountedFile(strings.NewReader("hello"))
				c := &http.Client{Timeout: limit, Transport: &client.Transport{
					Source: stuck{newSource("T1"), token}, Base: accepting("T2", new([]string)),
				}}
				req, _ := http.NewRequestWithContext(ctx, http.MethodPost, "https://api.example.com/", body)
				resp, err := c.Do(req)
				want := context.Canceled
				if limit > 0 {
					want = context.DeadlineExceeded
				}
				if !errors.Is(err, want) || time.Since(begin) != time.Minute {
					t.Errorf("token %t: got %v, %v after %v, want %v after a minute", token, resp, err, time.Since(begin), want)
				}
				body.check(t)
			})
		}
	}
}
