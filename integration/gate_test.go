package integration

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
)

// A gate stands before the token endpoint of a server, as the network does.
type gate struct {
	url string

	mu      sync.Mutex
	reached int    // requests that the server got
	refused int    // of them, by another status than 200
	open    bool   // all pass that have no fate
	fates   []fate // of the requests to come
	lostc   chan struct{}
}

// A fate is what becomes of one request.
type fate int

const (
	requestLost fate = iota // it never gets to the server; also that of a request nobody expects
	answerLost              // the server answers, and nobody hears it
	passes
)

func newGate(t *testing.T, tokenURL string) *gate {
	t.Helper()
	to, err := url.Parse(tokenURL)
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{}
	transport := &http.Transport{}
	proxy := &httputil.ReverseProxy{
		Transport: transport,
		Rewrite:   func(r *httputil.ProxyRequest) { r.Out.URL, r.Out.Host = to, to.Host },
		ModifyResponse: func(r *http.Response) error {
			if r.StatusCode != http.StatusOK {
				g.mu.Lock()
				defer g.mu.Unlock()
				g.refused++
			}
			return nil
		},
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fate, lostc := g.take()
		switch fate {
		case passes:
			proxy.ServeHTTP(w, r)
			return
		case answerLost:
			proxy.ServeHTTP(httptest.NewRecorder(), r)
		default:
			_, _ = io.Copy(io.Discard, r.Body)
		}
		select {
		case lostc <- struct{}{}:
		default: // the test looks for the first only
		}
		<-r.Context().Done() // the client waits until it is killed
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(transport.CloseIdleConnections)
	t.Cleanup(srv.Close)
	g.url = srv.URL + to.Path
	return g
}

// expect says what becomes of the next requests, in their order. The channel tells
// when something got lost.
func (g *gate) expect(fates ...fate) <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fates, g.lostc = fates, make(chan struct{}, 1)
	return g.lostc
}

func (g *gate) take() (f fate, lostc chan<- struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.fates) > 0 {
		f, g.fates = g.fates[0], g.fates[1:]
	} else if g.open {
		f = passes
	}
	if f != requestLost {
		g.reached++
	}
	return f, g.lostc
}

// count is the number of requests that the server got.
func (g *gate) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.reached
}

// refusals is the number of those that it refused.
func (g *gate) refusals() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.refused
}
