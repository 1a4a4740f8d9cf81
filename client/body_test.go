package client_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"example.com/tokenactor/client"
)

// A countedBody counts how often it is closed, and fails reads after that.
type countedBody struct {
	io.Reader
	closes  atomic.Int32
	closedc chan struct{} // closed by the first Close
}

func newCountedBody(r io.Reader) *countedBody {
	return &countedBody{Reader: r, closedc: make(chan struct{})}
}

func (b *countedBody) Read(p []byte) (int, error) {
	if b.closes.Load() > 0 {
		return 0, errors.New("read after Close")
	}
	return b.Reader.Read(p)
}

func (b *countedBody) Close() error {
	if b.closes.Add(1) > 1 {
		return errors.New("closed twice")
	}
	defer close(b.closedc)
	if c, ok := b.Reader.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// check waits for the Close, which may come after RoundTrip has returned.
func (b *countedBody) check(t *testing.T) {
	t.Helper()
	<-b.closedc
	if n := b.closes.Load(); n != 1 {
		t.Errorf("a body was closed %d times, want 1", n)
	}
}

// A countedFile can seek as well.
type countedFile struct {
	*countedBody
	io.Seeker
}

func newCountedFile(r io.ReadSeeker) *countedFile { return &countedFile{newCountedBody(r), r} }

// Base may close the body after it has returned. The file is open for the replay
// and closed once, when the last send has let go of it.
func TestBaseClosesLate(t *testing.T) {
	body := newCountedFile(strings.NewReader("hello"))
	var sent []io.ReadCloser
	rt := &client.Transport{Source: newSource("T1"), Base: baseFunc(func(req *http.Request) (*http.Response, error) {
		sent = append(sent, req.Body)
		content, err := io.ReadAll(req.Body)
		if err != nil || string(content) != "hello" {
			t.Errorf("send %d read %q, %v", len(sent), content, err)
		}
		if len(sent) == 1 {
			return answer(http.StatusUnauthorized, "", ""), nil
		}
		return answer(http.StatusOK, "", ""), nil
	})}
	if _, err := rt.RoundTrip(mustRequest(t, http.MethodPost, "https://api.example.com", body)); err != nil {
		t.Fatal(err)
	}
	for i, want := range []int32{0, 1, 1, 1} {
		_ = sent[i%2].Close()
		if got := body.closes.Load(); got != want {
			t.Errorf("after %d closes by Base the body was closed %d times, want %d", i+1, got, want)
		}
	}
	for i := range sent {
		if n, err := sent[i].Read(make([]byte, 1)); n > 0 || err == nil || err == io.EOF {
			t.Errorf("send %d reads after its end: %d, %v", i+1, n, err)
		}
	}
}

// A producer that writes only once it has seen the response holds nobody up for
// long: the 401 comes back after a second, or with the context, and the first
// send goes on undisturbed.
func TestBodyThatNeverComes(t *testing.T) {
	for _, limit := range []time.Duration{time.Hour, 100 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			begin := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			r, w := io.Pipe()
			body := newCountedBody(r)
			var reading sync.WaitGroup
			var got []byte
			rt := &client.Transport{Source: newSource("T1"), Base: baseFunc(func(req *http.Request) (*http.Response, error) {
				reading.Go(func() {
					got, _ = io.ReadAll(req.Body)
					_ = req.Body.Close()
				})
				synctest.Wait()
				return answer(http.StatusUnauthorized, "", "refused"), nil
			})}
			resp, err := rt.RoundTrip(mustRequest(t, http.MethodPost, "https://api.example.com", body).WithContext(ctx))
			if err != nil {
				t.Fatal(err)
			}
			if got := text(t, resp); got != "refused" {
				t.Errorf("got %q, want the 401 whole", got)
			}
			if took, want := time.Since(begin), min(limit, time.Second); took != want {
				t.Errorf("took %v, want %v", took, want)
			}
			_, _ = io.WriteString(w, "late")
			_ = w.Close()
			reading.Wait()
			if string(got) != "late" {
				t.Errorf("the first send read %q, want all of it", got)
			}
			body.check(t)
		})
	}
}

// A producer that is only slow is waited for.
func TestBodyThatComesSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		go func() {
			for _, part := range []string{"slow ", "but ", "sure"} {
				time.Sleep(300 * time.Millisecond)
				_, _ = io.WriteString(w, part)
			}
			_ = w.Close()
		}()
		var first sync.WaitGroup
		sends := 0
		rt := &client.Transport{Source: newSource("T1"), Base: baseFunc(func(req *http.Request) (*http.Response, error) {
			if sends++; sends == 1 {
				first.Go(func() { _, _ = io.Copy(io.Discard, req.Body) })
				synctest.Wait()
				return answer(http.StatusUnauthorized, "", ""), nil
			}
			content, err := io.ReadAll(req.Body)
			_ = req.Body.Close()
			return answer(http.StatusOK, "", string(content)), err
		})}
		resp, err := rt.RoundTrip(mustRequest(t, http.MethodPost, "https://api.example.com", newCountedBody(r)))
		if err != nil {
			t.Fatal(err)
		}
		if got := text(t, resp); got != "slow but sure" {
			t.Errorf("the replay carried %q", got)
		}
		first.Wait()
	})
}

// once is a reader that must not be asked again after its end.
type once struct {
	io.Reader
	end   error // in place of io.EOF
	ended bool
}

func (r *once) Read(p []byte) (int, error) {
	if r.ended {
		panic("read after its end")
	}
	n, err := r.Reader.Read(p)
	if err == io.EOF {
		r.ended, err = true, r.end
	}
	return n, err
}

// What a stream ended with is remembered: its end is the replay's end, and a
// body that broke is not sent again, though the server said 401 before it did.
func TestBodyIsNotAskedAfterItsEnd(t *testing.T) {
	for _, test := range []struct {
		end   error
		sends int
	}{{io.EOF, 2}, {errors.New("disk on fire"), 1}} {
		body := newCountedBody(&once{Reader: strings.NewReader("hello"), end: test.end})
		var seen []string
		rt := &client.Transport{Source: newSource("T1"), Base: accepting("T2", &seen)}
		resp, err := rt.RoundTrip(mustRequest(t, http.MethodPost, "https://api.example.com", body))
		if err != nil {
			t.Fatal(err)
		}
		_ = text(t, resp)
		if len(seen) != test.sends {
			t.Errorf("end %v: got %d after %d sends, want %d", test.end, resp.StatusCode, len(seen), test.sends)
		}
		body.check(t)
	}
}

// Without replays Base gets the caller's own body, which it may know how to copy.
func TestBodyWithoutReplaysIsBaseOwn(t *testing.T) {
	body := newCountedBody(strings.NewReader("hello"))
	rt := &client.Transport{Source: newSource("T1"), MaxReplays: -1, Base: baseFunc(func(req *http.Request) (*http.Response, error) {
		if req.Body != body {
			t.Errorf("Base got a %T", req.Body)
		}
		return answer(http.StatusOK, "", ""), req.Body.Close()
	})}
	if _, err := rt.RoundTrip(mustRequest(t, http.MethodPost, "https://api.example.com", body)); err != nil {
		t.Fatal(err)
	}
	body.check(t)
}

// oneWay tells where it stands and cannot go back.
type oneWay struct{ *countedFile }

func (b oneWay) Seek(offset int64, whence int) (int64, error) {
	if whence == io.SeekStart {
		return 0, errors.New("one way")
	}
	return b.countedFile.Seek(offset, whence)
}

// A file that cannot go back after all gives the original 401, whole.
func TestBodyThatCannotGoBack(t *testing.T) {
	body := oneWay{newCountedFile(strings.NewReader("hello"))}
	var seen []string
	rt := &client.Transport{Source: newSource("T1"), Base: accepting("T2", &seen)}
	resp, err := rt.RoundTrip(mustRequest(t, http.MethodPost, "https://api.example.com", body))
	if err != nil {
		t.Fatal(err)
	}
	if got := text(t, resp); got != "refused" || len(seen) != 1 {
		t.Errorf("got %q after %d sends, want the 401 after one", got, len(seen))
	}
	body.check(t)
}

// Whatever part of a body each send reads, in whatever pieces, and whenever Base
// closes it: the last send reads all of it or there is none, and it is closed once.
func FuzzBody(f *testing.F) {
	f.Add("hello", uint8(8), true, []byte{1, 2, 0x83, 9})
	f.Add("hello", uint8(8), false, []byte{1, 2, 0x83, 9})
	f.Add("hello", uint8(3), false, []byte{3, 0, 0x84})
	f.Fuzz(func(t *testing.T, content string, buffer uint8, seeks bool, script []byte) {
		counted := newCountedBody(strings.NewReader(content))
		body := io.ReadCloser(counted)
		if seeks {
			file := newCountedFile(strings.NewReader(content))
			counted, body = file.countedBody, file
		}
		most := 0 // read by any send
		var open []io.Closer
		rt := &client.Transport{
			Source: newSource("T1"), MaxReplays: len(script) + 1, ReplayBuffer: int64(buffer),
			Base: baseFunc(func(req *http.Request) (*http.Response, error) {
				if len(script) == 0 {
					got, err := io.ReadAll(req.Body)
					if err != nil || string(got) != content {
						t.Errorf("the last send read %q, %v, want %q", got, err, content)
					}
					open = append(open, req.Body)
					return answer(http.StatusOK, "", ""), nil
				}
				step := script[0]
				script = script[1:]
				got := make([]byte, step&0x7f)
				n, _ := io.ReadFull(iotest.OneByteReader(req.Body), got)
				if !strings.HasPrefix(content, string(got[:n])) {
					t.Errorf("a send read %q of %q", got[:n], content)
				}
				most = max(most, n)
				if step&0x80 != 0 {
					_ = req.Body.Close()
				} else {
					open = append(open, req.Body)
				}
				return answer(http.StatusUnauthorized, "", ""), nil
			}),
		}
		resp, err := rt.RoundTrip(mustRequest(t, http.MethodPost, "https://api.example.com", body))
		if err != nil {
			t.Fatal(err)
		}
		limit := int(buffer)
		if buffer == 0 {
			limit = 64 << 10
		}
		if got, want := resp.StatusCode == http.StatusOK, seeks || most <= limit; got != want {
			t.Errorf("%d bytes read of a body with room for %d: sent to the end: %t, want %t", most, limit, got, want)
		}
		for _, body := range open {
			_ = body.Close()
		}
		counted.check(t)
	})
}
