package client_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"example.com/tokenactor/client"
)

// unseekable is what a pipe is as an *os.File.
type unseekable struct{ *countedFile }

func (unseekable) Seek(int64, int) (int64, error) { return 0, errors.New("illegal seek") }

// bodyKinds are all kinds of request bodies, and whether one that was read to
// its end can be sent again.
var bodyKinds = []struct {
	name   string
	buffer int64
	resent bool
	make   func(t *testing.T, content string) (*http.Request, *countedBody)
}{
	{"GetBody", 0, true, func(t *testing.T, content string) (*http.Request, *countedBody) {
		return post(t, strings.NewReader(content)), nil
	}},
	{"GetBody fails", 0, false, func(t *testing.T, content string) (*http.Request, *countedBody) {
		req := post(t, strings.NewReader(content))
		req.GetBody = func() (io.ReadCloser, error) { return nil, errors.New("gone") }
		return req, nil
	}},
	{"seeker", 0, true, func(t *testing.T, content string) (*http.Request, *countedBody) {
		body := newCountedFile(strings.NewReader("skipped" + content))
		_, _ = body.Seek(int64(len("skipped")), io.SeekStart)
		return post(t, body), body.countedBody
	}},
	{"seeker of known length", -1, true, func(t *testing.T, content string) (*http.Request, *countedBody) {
		body := newCountedFile(strings.NewReader(content))
		return known(post(t, body), content), body.countedBody
	}},
	{"file", -1, true, func(t *testing.T, content string) (*http.Request, *countedBody) {
		name := filepath.Join(t.TempDir(), "upload")
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		body := newCountedFile(f)
		return post(t, body), body.countedBody
	}},
	{"stream", 1 << 20, true, func(t *testing.T, content string) (*http.Request, *countedBody) {
		body := newCountedBody(strings.NewReader(content))
		return post(t, body), body
	}},
	{"stream with a trailer", 1 << 20, true, func(t *testing.T, content string) (*http.Request, *countedBody) {
		body := newCountedBody(strings.NewReader(content))
		req := post(t, body)
		req.ContentLength = -1
		req.Trailer = http.Header{"X-Sum": {"sum"}}
		return req, body
	}},
	{"stream with Seek in vain", 1 << 20, true, func(t *testing.T, content string) (*http.Request, *countedBody) {
		body := unseekable{newCountedFile(strings.NewReader(content))}
		return post(t, body), body.countedBody
	}},
	{"stream larger than the buffer", 10, false, func(t *testing.T, content string) (*http.Request, *countedBody) {
		body := newCountedBody(strings.NewReader(content))
		return post(t, body), body
	}},
	{"stream known to be larger", 10, false, func(t *testing.T, content string) (*http.Request, *countedBody) {
		body := newCountedBody(strings.NewReader(content))
		return known(post(t, body), content), body
	}},
	{"stream without a buffer", -1, false, func(t *testing.T, content string) (*http.Request, *countedBody) {
		body := newCountedBody(strings.NewReader(content))
		return post(t, body), body
	}},
}

func post(t *testing.T, body io.Reader) *http.Request {
	t.Helper()
	return mustRequest(t, http.MethodPost, "https://api.example.com/", body)
}

func known(req *http.Request, content string) *http.Request {
	req.ContentLength = int64(len(content))
	return req
}

// countBodies makes the bodies that GetBody gives count their closes, and
// checks them all.
func countBodies(t *testing.T, req *http.Request, body *countedBody) (check func()) {
	var all []*countedBody
	if body != nil {
		all = append(all, body)
	}
	count := func(body io.Reader) io.ReadCloser {
		all = append(all, newCountedBody(body))
		return all[len(all)-1]
	}
	if getBody := req.GetBody; getBody != nil {
		req.Body = count(req.Body)
		req.GetBody = func() (io.ReadCloser, error) {
			body, err := getBody()
			if err != nil {
				return nil, err
			}
			return count(body), nil
		}
	}
	return func() {
		for _, body := range all {
			body.check(t)
		}
	}
}

// Every kind of body arrives whole at the replay, or the original 401 comes
// back whole and the token is new for the next request; each is closed once.
func TestScenario24Bodies(t *testing.T) {
	overBoth(t, func(t *testing.T, serve func(http.HandlerFunc) *loopback) {
		content := strings.Repeat("a body that matters. ", 1000)
		for _, kind := range bodyKinds {
			t.Run(kind.name, func(t *testing.T) {
				accept := bearers("T2")
				srv := serve(func(w http.ResponseWriter, r *http.Request) {
					body, err := io.ReadAll(r.Body)
					if err != nil || string(body) != content {
						t.Errorf("the server read %d bytes (%v), want %d", len(body), err, len(content))
					}
					if strings.Contains(kind.name, "trailer") && r.Trailer.Get("X-Sum") != "sum" {
						t.Errorf("the server read trailer %v", r.Trailer)
					}
					r.Body = io.NopCloser(bytes.NewReader(body))
					accept(w, r)
				})
				req, body := kind.make(t, content)
				check := countBodies(t, req, body)
				source := newSource("T1")
				rt := &client.Transport{Source: source, Base: srv.base, ReplayBuffer: kind.buffer}
				ctx, opened := counting(t.Context())
				resp, err := rt.RoundTrip(req.WithContext(ctx))
				if err != nil {
					t.Fatal(err)
				}
				want, status := "refused", http.StatusUnauthorized
				if kind.resent {
					want, status = content, http.StatusOK
				}
				if got := text(t, resp); resp.StatusCode != status || got != want {
					t.Errorf("got %d and %d bytes, want %d and %d", resp.StatusCode, len(got), status, len(want))
				}
				if source.renewals() != 1 || opened.Load() != 1 {
					t.Errorf("%d renewals over %d connections, want 1 and 1", source.renewals(), opened.Load())
				}
				check()
			})
		}
	})
}

// A server may answer before it has read the body, or ask first (Expect:
// 100-continue, RFC 9110 section 10.1.1). What Base has not read then is still
// there for the replay, whatever its size.
func TestScenario24AnsweredEarly(t *testing.T) {
	overBoth(t, func(t *testing.T, serve func(http.HandlerFunc) *loopback) {
		content := strings.Repeat("0123456789", 20_000)
		for _, kind := range bodyKinds {
			for _, expect := range []bool{false, true} {
				resent := kind.resent || expect && strings.HasPrefix(kind.name, "stream")
				if !expect && !resent {
					continue // how much of it was read by then is a matter of chance
				}
				if !expect && strings.Contains(kind.name, "trailer") {
					continue // over HTTP/2 net/http ends the connection when trailers meet an early answer
				}
				t.Run(fmt.Sprint(kind.name, " expect=", expect), func(t *testing.T) {
					srv := serve(func(w http.ResponseWriter, r *http.Request) {
						if r.Header.Get("Authorization") == "Bearer T1" {
							w.WriteHeader(http.StatusUnauthorized)
							return
						}
						body, err := io.ReadAll(r.Body)
						if err != nil || string(body) != content {
							t.Errorf("the server read %d bytes (%v), want %d", len(body), err, len(content))
						}
					})
					srv.base.ExpectContinueTimeout = time.Hour
					req, body := kind.make(t, content)
					req.URL, _ = req.URL.Parse(srv.URL)
					check := countBodies(t, req, body)
					if expect {
						req.Header.Set("Expect", "100-continue")
					}
					rt := &client.Transport{Source: newSource("T1"), Base: srv.base, ReplayBuffer: kind.buffer}
					resp, err := rt.RoundTrip(req)
					if err != nil {
						t.Fatal(err)
					}
					_ = text(t, resp)
					if got := resp.StatusCode == http.StatusOK; got != resent {
						t.Errorf("got %d, want a replay: %t", resp.StatusCode, resent)
					}
					check()
				})
			}
		}
	})
}

// A body that fails half-way fails the request; nothing is sent again, and the
// server never takes the half for the whole.
func TestScenario24BodyFailsHalfWay(t *testing.T) {
	overBoth(t, func(t *testing.T, serve func(http.HandlerFunc) *loopback) {
		broken := errors.New("disk on fire")
		var whole atomic.Int32
		srv := serve(func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.Copy(io.Discard, r.Body); err == nil {
				whole.Add(1)
			}
			w.WriteHeader(http.StatusUnauthorized)
		})
		body := newCountedBody(io.MultiReader(strings.NewReader("half"), iotest.ErrReader(broken)))
		rt := &client.Transport{Source: newSource("T1"), Base: srv.base}
		resp, err := rt.RoundTrip(post(t, body))
		if !errors.Is(err, broken) {
			t.Errorf("got %v, %v, want the body's error", resp, err)
		}
		body.check(t)
		srv.Close()
		if whole.Load() != 0 {
			t.Error("the server read the half as a whole body")
		}
	})
}

// A body of 2 GiB passes through and is not kept.
func TestScenario24HugeBodyIsNotKept(t *testing.T) {
	const size = 2 << 30
	for _, length := range []int64{-1, size} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		body := newCountedBody(io.LimitReader(zeros{}, size))
		req := post(t, body)
		req.ContentLength = length
		var seen []string
		resp, err := (&client.Transport{Source: newSource("T1"), Base: accepting("T2", &seen)}).RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		if got := text(t, resp); got != "refused" || len(seen) != 1 {
			t.Errorf("length %d: got %q after %d sends, want the 401 after one", length, got, len(seen))
		}
		body.check(t)
		runtime.ReadMemStats(&after)
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 4<<20 {
			t.Errorf("length %d: %d bytes were allocated on the way", length, grown)
		}
	}
}

// zeros is an endless reader that costs nothing.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }
