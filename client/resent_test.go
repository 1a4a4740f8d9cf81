package client_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenactor/client"
	"example.com/tokenactor/manager"
)

// rewinding gives req the GetBody of go-retryablehttp and azcore: one reader,
// rewound.
func rewinding(req *http.Request, body io.ReadSeeker) (asked *int) {
	asked = new(int)
	req.Body = io.NopCloser(body)
	req.GetBody = func() (io.ReadCloser, error) {
		*asked++
		_, err := body.Seek(0, io.SeekStart)
		return io.NopCloser(body), err
	}
	return asked
}

// Base is in the middle of the upload when the 401 comes, as net/http often is.
// From the replay on the first send reads nothing more.
func TestTwoSendsNeverReadAtOnce(t *testing.T) {
	const content = "0123456789abcdef"
	for _, length := range []int64{-1, int64(len(content))} {
		req := post(t, nil)
		asked := rewinding(req, strings.NewReader(content))
		req.ContentLength = length
		var first io.ReadCloser
		rt := &client.Transport{Source: newSource("T1"), Base: baseFunc(func(r *http.Request) (*http.Response, error) {
			four := make([]byte, 4)
			if _, err := io.ReadFull(r.Body, four); err != nil {
				t.Error(err)
			}
			if first == nil {
				first = r.Body
				return answer(http.StatusUnauthorized, "", ""), nil
			}
			if n, err := first.Read(make([]byte, 4)); n > 0 || err == nil || err == io.EOF {
				t.Errorf("the first send went on: %d, %v", n, err)
			}
			rest, err := io.ReadAll(r.Body)
			return answer(http.StatusOK, "", string(four)+string(rest)), err
		})}
		resp, err := rt.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		if got := text(t, resp); got != content || *asked != 1 {
			t.Errorf("the replay carried %q after %d calls of GetBody, want %q after one", got, *asked, content)
		}
	}
}

// GetBody is not asked while a Read of the first body is under way: not before
// that has returned, and not at all if it takes more than a second.
func TestGetBodyWaitsForTheFirstSend(t *testing.T) {
	for _, pause := range []time.Duration{300 * time.Millisecond, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			begin := time.Now()
			body := newSlowBody("hello", 5, pause, io.EOF)
			req := post(t, body)
			asked := false
			req.GetBody = func() (io.ReadCloser, error) {
				asked = true
				if took := time.Since(begin); took != pause {
					t.Errorf("asked after %v, want %v", took, pause)
				}
				return io.NopCloser(strings.NewReader("hello")), nil
			}
			sends := 0
			var first sync.WaitGroup
			rt := &client.Transport{Source: newSource("T1"), Base: baseFunc(func(req *http.Request) (*http.Response, error) {
				if sends++; sends == 1 {
					first.Go(func() {
						_, _ = io.Copy(io.Discard, req.Body)
						_ = req.Body.Close()
					})
					synctest.Wait()
					return answer(http.StatusUnauthorized, "", "refused"), nil
				}
				got, err := io.ReadAll(req.Body)
				return answer(http.StatusOK, "", string(got)), err
			})}
			resp, err := rt.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			want := "hello"
			if pause > time.Second {
				want = "refused"
			}
			if got := text(t, resp); got != want || asked != (want == "hello") {
				t.Errorf("got %q, GetBody was asked: %t, want %q", got, asked, want)
			}
			first.Wait()
		})
	}
}

// A GetBody that fails, or that returns nothing, gives the original 401, whole;
// Base, which may ask GetBody itself, gets an error.
func TestGetBodyFails(t *testing.T) {
	gone := errors.New("gone")
	for _, test := range []struct {
		body io.ReadCloser
		err  error
	}{{nil, gone}, {nil, nil}} {
		overBoth(t, func(t *testing.T, serve func(http.HandlerFunc) *loopback) {
			for _, length := range []int64{-1, 5} {
				srv := serve(bearers("T2"))
				body := newCountedBody(strings.NewReader("hello"))
				req := mustRequest(t, http.MethodPost, srv.URL, body)
				req.ContentLength = length
				req.GetBody = func() (io.ReadCloser, error) { return test.body, test.err }
				rt := &client.Transport{Source: newSource("T1"), Base: baseFunc(func(req *http.Request) (*http.Response, error) {
					if b, err := req.GetBody(); b != nil || err == nil || test.err != nil && !errors.Is(err, test.err) {
						t.Errorf("Base was given %v, %v, want an error", b, err)
					}
					return srv.base.RoundTrip(req)
				})}
				resp, err := rt.RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				if got := text(t, resp); resp.StatusCode != http.StatusUnauthorized || got != "refused" {
					t.Errorf("got %d %q, want the 401 whole", resp.StatusCode, got)
				}
				body.check(t)
			}
		})
	}
}

// Base asks for second bodies itself, as net/http does when a connection is gone.
// None of them is read any more once the replay has begun, each is closed once.
func TestBaseAsksForBodies(t *testing.T) {
	var all []*countedBody
	fresh := func() (io.ReadCloser, error) {
		all = append(all, newCountedBody(strings.NewReader("hello")))
		return all[len(all)-1], nil
	}
	req := post(t, nil)
	req.Body, _ = fresh()
	req.GetBody = fresh
	var before []io.ReadCloser
	var getBody func() (io.ReadCloser, error)
	rt := &client.Transport{Source: newSource("T1"), Base: baseFunc(func(req *http.Request) (*http.Response, error) {
		if before == nil {
			second, err := req.GetBody()
			if err != nil {
				t.Fatal(err)
			}
			before, getBody = []io.ReadCloser{req.Body, second}, req.GetBody
			for _, body := range before {
				_, _ = io.ReadFull(body, make([]byte, 2))
			}
			return answer(http.StatusUnauthorized, "", ""), nil
		}
		for i, body := range before {
			if n, err := body.Read(make([]byte, 2)); n > 0 || err == nil || err == io.EOF {
				t.Errorf("body %d of the first send went on: %d, %v", i+1, n, err)
			}
			_ = body.Close()
		}
		if b, err := getBody(); err == nil {
			t.Errorf("the first send was given another body: %v", b)
		}
		got, err := io.ReadAll(req.Body)
		_ = req.Body.Close()
		return answer(http.StatusOK, "", string(got)), err
	})}
	resp, err := rt.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	if got := text(t, resp); got != "hello" || len(all) != 3 {
		t.Errorf("got %q, %d bodies made, want the body and 3", got, len(all))
	}
	for _, body := range all {
		body.check(t)
	}
}

// Bodies with an embedded file, whose Seek knows nothing of what their Read does.
type (
	// firstBytes reads a part of the file.
	firstBytes struct {
		*os.File
		left int
	}
	// shifted reads the file through a cipher: each byte plus its place.
	shifted struct {
		*os.File
		at byte
	}
	// buffered reads ahead.
	buffered struct {
		*bufio.Reader
		io.Seeker
		io.Closer
	}
	// counted only counts what is read, and can be read again.
	counted struct {
		*os.File
		n int
	}
)

func (b *firstBytes) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	n, err := b.File.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

func (b *shifted) Read(p []byte) (int, error) {
	n, err := b.File.Read(p)
	for i := range p[:n] {
		p[i] += b.at
		b.at++
	}
	return n, err
}

func (b *counted) Read(p []byte) (int, error) {
	n, err := b.File.Read(p)
	b.n += n
	return n, err
}

// A replay carries what the first send carried. What cannot be read again gives
// the original 401 if that can be known; else the replay is broken off before
// its end, and its caller gets an error.
func TestReplayIsNeverAnotherBody(t *testing.T) {
	content := strings.Repeat("0123456789", 10)
	name := filepath.Join(t.TempDir(), "upload")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	const refused, broken = "refused", "broken off"
	for _, test := range []struct {
		name string
		make func(f *os.File) io.ReadCloser
		read int    // by the first send; -1: all and the end
		want string // or what the replay carried
	}{
		{"file", func(f *os.File) io.ReadCloser { return f }, -1, content},
		{"file, part", func(f *os.File) io.ReadCloser { return f }, 20, content},
		{"counted", func(f *os.File) io.ReadCloser { return &counted{File: f} }, -1, content},
		{"counted, part", func(f *os.File) io.ReadCloser { return &counted{File: f} }, 20, content},
		{"first bytes", func(f *os.File) io.ReadCloser { return &firstBytes{f, 50} }, -1, refused},
		{"first bytes, part", func(f *os.File) io.ReadCloser { return &firstBytes{f, 50} }, 10, broken},
		{"first bytes, most", func(f *os.File) io.ReadCloser { return &firstBytes{f, 50} }, 40, broken},
		{"first bytes, no end", func(f *os.File) io.ReadCloser { return &firstBytes{f, 50} }, 50, broken},
		{"first bytes, untouched", func(f *os.File) io.ReadCloser { return &firstBytes{f, 50} }, 0, broken},
		{"shifted", func(f *os.File) io.ReadCloser { return &shifted{File: f} }, -1, broken},
		{"shifted, part", func(f *os.File) io.ReadCloser { return &shifted{File: f} }, 20, broken},
		{"shifted, untouched", func(f *os.File) io.ReadCloser { return &shifted{File: f} }, 0, shift(content)},
		{"buffered, part", func(f *os.File) io.ReadCloser { return &buffered{bufio.NewReaderSize(f, 16), f, f} }, 10, refused},
		{"buffered", func(f *os.File) io.ReadCloser { return &buffered{bufio.NewReaderSize(f, 16), f, f} }, -1, content},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, err := os.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			sends := 0
			rt := &client.Transport{Source: newSource("T1"), Base: baseFunc(func(req *http.Request) (*http.Response, error) {
				defer func() { _ = req.Body.Close() }()
				if sends++; sends == 1 && test.read >= 0 {
					if _, err := io.ReadFull(req.Body, make([]byte, test.read)); err != nil {
						t.Error(err)
					}
					return answer(http.StatusUnauthorized, "", refused), nil
				}
				// In pieces that do not end where the first send ended.
				var got bytes.Buffer
				_, err := io.CopyBuffer(struct{ io.Writer }{&got}, struct{ io.Reader }{req.Body}, make([]byte, 7))
				if sends == 1 {
					return answer(http.StatusUnauthorized, "", refused), nil
				}
				if err != nil && got.Len() >= len(content) {
					t.Errorf("the replay was broken off after %d bytes, which are all", got.Len())
				}
				return answer(http.StatusOK, "", got.String()), err
			})}
			resp, err := rt.RoundTrip(post(t, test.make(f)))
			got := broken
			if err == nil {
				got = text(t, resp)
			} else if !strings.Contains(err.Error(), "client: the request body") {
				t.Errorf("the error says %q", err)
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func shift(s string) string {
	b := []byte(s)
	for i := range b {
		b[i] += byte(i)
	}
	return string(b)
}

// A GetBody whose second body is shorter breaks the replay off, over real
// connections: the server never takes it for a whole one.
func TestShorterBodyOfGetBody(t *testing.T) {
	overBoth(t, func(t *testing.T, serve func(http.HandlerFunc) *loopback) {
		for _, length := range []int64{-1, 5} {
			for _, second := range []string{"", "hell"} {
				srv := serve(func(w http.ResponseWriter, r *http.Request) {
					got, err := io.ReadAll(r.Body)
					if err == nil && string(got) != "hello" {
						t.Errorf("the server took %q for a whole body", got)
					}
					if r.Header.Get("Authorization") != "Bearer T2" {
						w.WriteHeader(http.StatusUnauthorized)
					}
				})
				req := mustRequest(t, http.MethodPost, srv.URL, io.NopCloser(strings.NewReader("hello")))
				req.ContentLength = length
				req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(second)), nil }
				resp, err := (&client.Transport{Source: newSource("T1"), Base: srv.base}).RoundTrip(req)
				if err == nil {
					_ = text(t, resp)
					t.Errorf("%q for hello, length %d: got %d, want an error", second, length, resp.StatusCode)
				}
			}
		}
	})
}

// The bodies that http.NewRequest makes of memory reach Base as they are, and
// cost nothing; a replay gets another reader of the same bytes. Whatever looks
// like them and has a GetBody of its own does not pass for one.
func TestBodiesOfMemoryAreSentAsTheyAre(t *testing.T) {
	type kind struct {
		name string
		make func() *http.Request
		own  bool
	}
	kinds := []kind{
		{"bytes.Reader", func() *http.Request { return post(t, bytes.NewReader([]byte("hello"))) }, true},
		{"strings.Reader", func() *http.Request { return post(t, strings.NewReader("hello")) }, true},
		{"bytes.Buffer", func() *http.Request { return post(t, bytes.NewBufferString("hello")) }, true},
		{"a clone", func() *http.Request { return post(t, strings.NewReader("hello")).Clone(t.Context()) }, true},
		{"rewound", func() *http.Request {
			req := post(t, strings.NewReader("hello"))
			rewinding(req, strings.NewReader("hello"))
			return req
		}, false},
		{"another body", func() *http.Request {
			req := post(t, strings.NewReader("hello"))
			req.Body = newCountedBody(strings.NewReader("hello"))
			return req
		}, false},
		{"no length", func() *http.Request {
			req := post(t, strings.NewReader("hello"))
			req.ContentLength = -1
			return req
		}, false},
	}
	for _, kind := range kinds {
		req := kind.make()
		sends := 0
		rt := &client.Transport{Source: newSource("T1"), Base: baseFunc(func(sent *http.Request) (*http.Response, error) {
			if got := sent.Body == req.Body; sends == 0 && got != kind.own {
				t.Errorf("%s: Base got the request's own body: %t, want %t", kind.name, got, kind.own)
			}
			status := []int{401, 200}[sends]
			sends++
			got, err := io.ReadAll(sent.Body)
			return answer(status, "", string(got)), err
		})}
		resp, err := rt.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		if got := text(t, resp); got != "hello" || resp.StatusCode != http.StatusOK {
			t.Errorf("%s: the replay carried %q", kind.name, got)
		}
	}

	base := &nowhere{http.Response{StatusCode: http.StatusOK, Body: http.NoBody}}
	allocations := func(req *http.Request) float64 {
		rt := &client.Transport{Source: newSource("T1"), Base: base}
		return testing.AllocsPerRun(100, func() { _, _ = rt.RoundTrip(req) })
	}
	bare := allocations(getRequest(0))
	for _, kind := range kinds {
		if got := allocations(kind.make()) - bare; kind.own && got != 0 {
			t.Errorf("%s: %v allocations for its body, want none", kind.name, got)
		}
	}
}

// A request without a URL is an error, as in net/http, wherever the token goes,
// and its body is closed.
func TestRequestWithoutURL(t *testing.T) {
	for name, rt := range map[string]*client.Transport{
		"Authorization": {}, "Header": {Place: client.Header("X-Token")}, "Query": {Place: client.Query("token")},
		"Hosts": {Hosts: []string{"api.example.com"}},
	} {
		for _, redirected := range []*http.Response{nil, {}, {Request: &http.Request{}}} {
			rt.Source = newSource("T1")
			body := newCountedBody(strings.NewReader("hello"))
			req := &http.Request{Method: http.MethodPost, Body: body, Response: redirected}
			if resp, err := rt.RoundTrip(req); err == nil {
				t.Errorf("%s: got %v, want an error", name, resp)
			}
			body.check(t)
		}
	}
}

// A Source that returns neither token nor error breaks its contract: an error
// before the first send, the original 401 after it.
func TestSourceWithoutAnswer(t *testing.T) {
	for _, renews := range []bool{false, true} {
		var seen []string
		resp, err := (&client.Transport{Source: silent{newSource("T1"), renews}, Base: accepting("T2", &seen)}).RoundTrip(getRequest(0))
		switch {
		case !renews && err == nil:
			t.Errorf("got %v, want an error", resp)
		case renews && err != nil:
			t.Errorf("got %v, want the 401", err)
		case renews:
			if got := text(t, resp); got != "refused" || len(seen) != 1 {
				t.Errorf("got %q after %d sends, want the 401 after one", got, len(seen))
			}
		}
	}
}

// silent is a Source that returns nothing, once it has been asked for a token if
// it renews.
type silent struct {
	*source
	renews bool
}

func (s silent) Token(ctx context.Context) (*manager.Token, error) {
	if s.renews {
		return s.source.Token(ctx)
	}
	return nil, nil
}

func (s silent) Renew(context.Context, *manager.Token) (*manager.Token, error) { return nil, nil }
