package peers

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"example.com/tokenactor/manager"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// content is more than the buffers of a connection and of a Transport hold.
var content = bytes.Repeat([]byte("0123456789abcdef"), 1<<16)

// A server refuses T1 before it has read the body, and answers 503 to the first
// whole upload to a path under /busy. It remembers what arrived.
type server struct {
	*httptest.Server
	base *http.Transport

	damaged atomic.Int32
	mu      sync.Mutex
	busy    map[string]bool
	whole   map[string]int
}

func newServer(t *testing.T, http2 bool) *server {
	s := &server{busy: map[string]bool{}, whole: map[string]int{}}
	s.Server = httptest.NewUnstartedServer(s)
	s.EnableHTTP2 = http2
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	s.base = s.Client().Transport.(*http.Transport)
	return s
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer T2" {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if r.Method == http.MethodGet {
		w.Header().Set("Cache-Control", "max-age=60")
		w.Header().Set("Vary", "Authorization")
		_, _ = w.Write(content)
		return
	}
	got, err := io.ReadAll(r.Body)
	switch {
	case err != nil:
		w.WriteHeader(http.StatusBadRequest)
	case s.isBusy(r.URL.Path):
		w.WriteHeader(http.StatusServiceUnavailable)
	case !bytes.Equal(got, content):
		s.damaged.Add(1)
	default:
		s.mu.Lock()
		s.whole[r.URL.Path]++
		s.mu.Unlock()
	}
}

func (s *server) isBusy(path string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := !s.busy[path]
	s.busy[path] = true
	return first && strings.HasPrefix(path, "/busy/")
}

func (s *server) arrived(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.whole[path]
}

// newCredential returns a credential whose refreshes return T1, T2 and so on, and
// their count.
func newCredential(t *testing.T) (*manager.Credential, *atomic.Int32) {
	m, err := manager.New(manager.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	var refreshes atomic.Int32
	return m.Manage("api", manager.RefresherFunc(func(context.Context, string, manager.Token) (manager.Token, error) {
		return manager.Token{AccessToken: manager.NewSecret(fmt.Sprint("T", refreshes.Add(1)))}, nil
	})), &refreshes
}
