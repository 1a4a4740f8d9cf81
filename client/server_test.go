package client_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"sync/atomic"
	"testing"
)

// A loopback is a server on 127.0.0.1 with TLS, and a Base that reaches it under
// any name of example.com.
type loopback struct {
	*httptest.Server
	base *http.Transport
}

// overBoth runs f over HTTP/1.1 and over HTTP/2.
func overBoth(t *testing.T, f func(t *testing.T, serve func(http.HandlerFunc) *loopback)) {
	for _, http2 := range []bool{false, true} {
		t.Run(map[bool]string{false: "HTTP/1.1", true: "HTTP/2"}[http2], func(t *testing.T) {
			f(t, func(handler http.HandlerFunc) *loopback {
				srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if got := r.ProtoMajor == 2; got != http2 {
						t.Errorf("the request came over %s", r.Proto)
					}
					handler(w, r)
				}))
				srv.EnableHTTP2 = http2
				srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
				srv.StartTLS()
				t.Cleanup(srv.Close)
				return &loopback{srv, srv.Client().Transport.(*http.Transport)}
			})
		})
	}
}

// bearers answers 200 with what it read to the good tokens, and 401 to others.
func bearers(good ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		for _, token := range good {
			if r.Header.Get("Authorization") == "Bearer "+token {
				_, _ = w.Write(body)
				return
			}
		}
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, "refused")
	}
}

// counting gives a context whose requests count the connections they open.
func counting(ctx context.Context) (context.Context, *atomic.Int32) {
	var opened atomic.Int32
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
			if !info.Reused {
				opened.Add(1)
			}
		},
	}), &opened
}

// reach makes a Base that dials the server of the host asked for.
func reach(t *testing.T, like *loopback, servers map[string]string) *http.Transport {
	base := like.base.Clone()
	t.Cleanup(base.CloseIdleConnections)
	base.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, servers[addr])
	}
	return base
}

func mustRequest(t *testing.T, method, url string, body io.Reader) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// quiet is a logger for managers whose failures are part of the test.
var quiet = slog.New(slog.DiscardHandler)
