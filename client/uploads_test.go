package client_test

import (
	"bytes"
	"flag"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"example.com/tokenactor/client"
)

var uploads = flag.Int("uploads", 10, "uploads of each kind of body in TestUploadsAreWholeOrRefused")

// An embeddedFile reads the file by a method of its own.
type embeddedFile struct{ *os.File }

func (f embeddedFile) Read(p []byte) (int, error) { return f.File.Read(p) }

// uploadKinds make the requests of TestUploadsAreWholeOrRefused; those with a file
// get it open.
var uploadKinds = []struct {
	name  string
	file  bool
	empty bool
	make  func(t *testing.T, url string, content []byte, f *os.File) *http.Request
}{
	{"nil", false, true, func(t *testing.T, url string, _ []byte, _ *os.File) *http.Request {
		return mustRequest(t, http.MethodPut, url, nil)
	}},
	{"NoBody", false, true, func(t *testing.T, url string, _ []byte, _ *os.File) *http.Request {
		return mustRequest(t, http.MethodPut, url, http.NoBody)
	}},
	{"bytes.Reader", false, false, func(t *testing.T, url string, content []byte, _ *os.File) *http.Request {
		return mustRequest(t, http.MethodPut, url, bytes.NewReader(content))
	}},
	{"strings.Reader", false, false, func(t *testing.T, url string, content []byte, _ *os.File) *http.Request {
		return mustRequest(t, http.MethodPut, url, strings.NewReader(string(content)))
	}},
	{"bytes.Buffer", false, false, func(t *testing.T, url string, content []byte, _ *os.File) *http.Request {
		return mustRequest(t, http.MethodPut, url, bytes.NewBuffer(content))
	}},
	{"NopCloser of a bytes.Reader", false, false, func(t *testing.T, url string, content []byte, _ *os.File) *http.Request {
		return mustRequest(t, http.MethodPut, url, io.NopCloser(bytes.NewReader(content)))
	}},
	{"file", true, false, func(t *testing.T, url string, _ []byte, f *os.File) *http.Request {
		return mustRequest(t, http.MethodPut, url, f)
	}},
	{"embedded file", true, false, func(t *testing.T, url string, content []byte, f *os.File) *http.Request {
		req := mustRequest(t, http.MethodPut, url, embeddedFile{f})
		req.ContentLength = int64(len(content))
		return req
	}},
	{"first bytes of a file", true, false, func(t *testing.T, url string, content []byte, f *os.File) *http.Request {
		_, _ = f.WriteAt([]byte("more than these"), int64(len(content)))
		return mustRequest(t, http.MethodPut, url, &firstBytes{f, len(content)})
	}},
	{"pipe", false, false, func(t *testing.T, url string, content []byte, _ *os.File) *http.Request {
		r, w := io.Pipe()
		go func() {
			_, err := io.Copy(w, bytes.NewReader(content))
			_ = w.CloseWithError(err)
		}()
		return mustRequest(t, http.MethodPut, url, r)
	}},
	{"shared reader of GetBody", false, false, func(t *testing.T, url string, content []byte, _ *os.File) *http.Request {
		req := mustRequest(t, http.MethodPut, url, nil)
		rewinding(req, bytes.NewReader(content))
		return req
	}},
	{"shared file of GetBody", true, false, func(t *testing.T, url string, content []byte, f *os.File) *http.Request {
		req := mustRequest(t, http.MethodPut, url, nil)
		rewinding(req, f)
		req.ContentLength = int64(len(content))
		return req
	}},
	{"stream larger than the buffer", false, false, func(t *testing.T, url string, content []byte, _ *os.File) *http.Request {
		return mustRequest(t, http.MethodPut, url, newCountedBody(bytes.NewReader(content)))
	}},
	{"decoder with GetBody", false, false, func(t *testing.T, url string, content []byte, _ *os.File) *http.Request {
		req := mustRequest(t, http.MethodPut, url, nil)
		src := bytes.NewReader(content)
		req.Body = io.NopCloser(io.MultiReader(src))
		req.GetBody = func() (io.ReadCloser, error) {
			src.Reset(content)
			return io.NopCloser(io.MultiReader(src)), nil
		}
		return req
	}},
}

// Uploads of every kind meet a 401 before the server has read them, by chance at
// any point. Each arrives whole or its caller gets the 401 that came first, and none
// arrives damaged. Only where a part of the body was read and the file beneath it
// says nothing about the whole, the replay is broken off. An early answer may cost
// a connection besides, with or without us.
func TestUploadsAreWholeOrRefused(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<14) // more than buffers hold
	overBoth(t, func(t *testing.T, serve func(http.HandlerFunc) *loopback) {
		for _, kind := range uploadKinds {
			t.Run(kind.name, func(t *testing.T) {
				want := content
				if kind.empty {
					want = nil
				}
				var whole, damaged atomic.Int32
				srv := serve(func(w http.ResponseWriter, r *http.Request) {
					if r.Header.Get("Authorization") == "Bearer T1" {
						w.WriteHeader(http.StatusUnauthorized)
						return
					}
					if got, err := io.ReadAll(r.Body); err == nil && bytes.Equal(got, want) {
						whole.Add(1)
					} else if err == nil {
						damaged.Add(1)
						w.WriteHeader(http.StatusUnprocessableEntity)
					}
				})
				name := filepath.Join(t.TempDir(), "upload")
				if err := os.WriteFile(name, content, 0o600); err != nil {
					t.Fatal(err)
				}
				var accepted, refused, broken int32
				for range *uploads {
					var f *os.File
					if kind.file {
						var err error
						if f, err = os.OpenFile(name, os.O_RDWR, 0); err != nil {
							t.Fatal(err)
						}
					}
					resp, err := (&client.Transport{Source: newSource("T1"), Base: srv.base}).RoundTrip(kind.make(t, srv.URL, bytes.Clone(content), f))
					switch {
					case err != nil && strings.Contains(err.Error(), "client: ") && !strings.HasPrefix(kind.name, "first bytes"):
						t.Errorf("got %v, want the replay or the 401", err)
						broken++
					case err != nil:
						broken++
					case resp.StatusCode == http.StatusOK:
						accepted++
					case resp.StatusCode == http.StatusUnauthorized:
						refused++
					}
					if err == nil {
						_, _ = io.Copy(io.Discard, resp.Body)
						_ = resp.Body.Close()
					}
				}
				t.Logf("%d accepted, %d refused, %d broken off", accepted, refused, broken)
				if damaged.Load() != 0 || whole.Load() < accepted || accepted+refused+broken != int32(*uploads) {
					t.Errorf("%d arrived damaged and %d whole, %d were accepted, %d refused, %d broken off", damaged.Load(), whole.Load(), accepted, refused, broken)
				}
			})
		}
	})
}
