package integration

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"time"
)

// A wire counts what goes to the server and how it is answered. It is the transport of
// a client of the test's.
type wire struct {
	base *http.Transport

	mu    sync.Mutex
	calls []call
}

// A call is one request that was answered.
type call struct {
	path   string
	grant  string // grant_type of a token request
	status int
	life   time.Duration // expires_in of a token answer
	nonce  bool          // the answer asked for a DPoP nonce
	proof  bool          // the request carried a DPoP proof
}

// wire makes one.
func (s *server) wire(t testing.TB) *wire {
	w := &wire{base: &http.Transport{MaxIdleConnsPerHost: 100, TLSClientConfig: s.tls}}
	t.Cleanup(w.base.CloseIdleConnections)
	return w
}

func (w *wire) client() *http.Client { return &http.Client{Transport: w} }

func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	c := call{path: req.URL.Path, proof: req.Header.Get("DPoP") != ""}
	if req.Body != nil {
		body, err := io.ReadAll(req.Body)
		_ = req.Body.Close()
		if err != nil {
			return nil, err
		}
		form, _ := url.ParseQuery(string(body))
		c.grant = form.Get("grant_type")
		req = req.Clone(req.Context())
		req.Body = io.NopCloser(bytes.NewReader(body))
	}
	resp, err := w.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	c.status = resp.StatusCode
	c.nonce = resp.StatusCode >= 400 && resp.Header.Get("DPoP-Nonce") != ""
	if c.grant != "" {
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			return nil, err
		}
		var answer struct {
			ExpiresIn float64 `json:"expires_in"`
		}
		_ = json.Unmarshal(body, &answer)
		c.life = time.Duration(answer.ExpiresIn * float64(time.Second))
		resp.Body = io.NopCloser(bytes.NewReader(body))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, c)
	return resp, nil
}

// sent gives the calls that f accepts.
func (w *wire) sent(f func(call) bool) []call {
	w.mu.Lock()
	defer w.mu.Unlock()
	var found []call
	for _, c := range w.calls {
		if f(c) {
			found = append(found, c)
		}
	}
	return found
}

// refreshes are the requests that spent a refresh token.
func (w *wire) refreshes() []call {
	return w.sent(func(c call) bool { return c.grant == "refresh_token" })
}
