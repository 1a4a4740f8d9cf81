package integration

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"testing"
	"time"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/oauth"
)

const (
	behindLife = 8 * time.Second         // of an access token
	behindDown = 5500 * time.Millisecond // of the server
)

// The server is restarted behind a reverse proxy, which answers 502 meanwhile. That is an
// answer, so there is no quiet time to wait out once the access token has expired: the first attempt
// after the server is back succeeds, and the login goes on.
func TestBehindProxy(t *testing.T) {
	each(t, behindProxy, func(t *testing.T, k kind) {
		s := k.start(t, behindLife)
		login := s.login(t, s.app, oauth.Options{})
		b := newBackend(t, s.endpoint.TokenURL)
		proxy := b.proxy(t)

		w := s.wire(t)
		app := s.app
		app.Endpoint.TokenURL = proxy
		kept := newKeeper(t, manager.Config{})
		user := kept.Manage("user", oauth.RefreshToken(app, oauth.Options{Client: w.client()}))
		if err := user.Install(t.Context(), login); err != nil {
			t.Fatal(err)
		}
		if _, err := user.Renew(t.Context(), &login); err != nil {
			t.Fatal(err)
		}
		time.Sleep(behindLife / 2)
		before := len(w.tokenStatuses())
		b.stop(t)
		time.Sleep(behindDown)
		b.start(t)
		begun := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		for {
			_, err := user.Token(ctx)
			if err == nil {
				break
			}
			if errors.Is(err, manager.ErrLoginRequired) || ctx.Err() != nil {
				t.Fatalf("the login is lost: %v", err)
			}
			time.Sleep(20 * time.Millisecond)
		}
		waited := time.Since(begun)
		statuses := w.tokenStatuses()[before:]
		failed := len(statuses) - 1
		if failed < 2 || slices.Index(statuses, http.StatusOK) != failed || slices.ContainsFunc(statuses[:failed], func(s int) bool { return s != http.StatusBadGateway }) {
			t.Errorf("the token endpoint answered %v, want some 502s and then the first attempt well", statuses)
		}
		t.Logf("%d attempts, %d of them 502; a token %.1f s after the server was back", len(statuses), failed, waited.Seconds())
		if token, err := user.Token(t.Context()); err != nil {
			t.Error(err)
		} else if _, err := user.Renew(t.Context(), token); err != nil {
			t.Errorf("the login does not go on: %v", err)
		}
	})
}

// tokenStatuses are those of the token requests.
func (w *wire) tokenStatuses() (statuses []int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.calls {
		if c.grant == "refresh_token" {
			statuses = append(statuses, c.status)
		}
	}
	return statuses
}

// A backend stands before the server's token endpoint at an address of its own, and can be
// stopped and started there, as a server can whose logins are in a database.
type backend struct {
	target *url.URL
	addr   string
	server *http.Server
	donec  chan struct{}
}

func newBackend(t *testing.T, tokenURL string) *backend {
	target, err := url.Parse(tokenURL)
	if err != nil {
		t.Fatal(err)
	}
	b := &backend{target: target, addr: "127.0.0.1:0"}
	b.start(t)
	t.Cleanup(func() { b.stop(t) })
	return b
}

func (b *backend) start(t *testing.T) {
	listener, err := net.Listen("tcp", b.addr)
	if err != nil {
		t.Fatal(err)
	}
	b.addr = listener.Addr().String()
	root := &url.URL{Scheme: b.target.Scheme, Host: b.target.Host}
	b.server, b.donec = &http.Server{Handler: &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(root) }}}, make(chan struct{})
	go func(server *http.Server, donec chan struct{}) {
		defer close(donec)
		_ = server.Serve(listener)
	}(b.server, b.donec)
}

func (b *backend) stop(t *testing.T) {
	if err := b.server.Close(); err != nil {
		t.Errorf("stopping the backend: %v", err)
	}
	<-b.donec
}

// proxy starts a reverse proxy in front of the backend, and returns the address of the token
// endpoint behind it.
func (b *backend) proxy(t *testing.T) string {
	front := &http.Server{Handler: &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: b.addr}) },
	}}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	donec := make(chan struct{})
	go func() { defer close(donec); _ = front.Serve(listener) }()
	t.Cleanup(func() { _ = front.Close(); <-donec })
	return "http://" + listener.Addr().String() + b.target.Path
}
