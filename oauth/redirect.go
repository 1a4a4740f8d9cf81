package oauth

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"
)

// A redirect is the listener on this machine that the browser is sent back to (RFC
// 8252 section 7.3).
type redirect struct {
	url      string
	expected expectation
	server   *http.Server
	foundc   chan found    // holds one
	servedc  chan struct{} // closed when the listener has ended
}

// found is what the browser brought.
type found struct {
	code string
	err  error
}

// listenForRedirect listens where the redirect URL says, at a port that the system
// gives where it names none. For localhost it is 127.0.0.1: what the name stands for
// is the machine's affair.
func listenForRedirect(raw string, expected expectation) (*redirect, error) {
	if raw == "" {
		raw = "http://127.0.0.1/callback"
	}
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" || !loopback(u.Hostname()) || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, errors.New("oauth: RedirectURL must be one of http on this machine, such as http://127.0.0.1/callback; the port may be left out")
	}
	host, port := u.Hostname(), u.Port()
	if net.ParseIP(host) == nil {
		host = "127.0.0.1"
	}
	if port == "" {
		port = "0"
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, fmt.Errorf("oauth: no listener for the redirect: %w", err)
	}
	_, port, _ = net.SplitHostPort(listener.Addr().String())
	u.Host = net.JoinHostPort(u.Hostname(), port)
	l := &redirect{url: u.String(), expected: expected, foundc: make(chan found, 1), servedc: make(chan struct{})}
	path := u.Path
	if path == "" {
		path = "/"
	}
	l.server = &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			// The Host too: by another name it is a page elsewhere that asks.
			if r.URL.Path != path || r.Method != http.MethodGet || origin(&url.URL{Scheme: "http", Host: r.Host}) != origin(u) {
				http.NotFound(w, r)
				return
			}
			l.take(w, r.URL.Query())
		}),
	}
	go func() {
		defer close(l.servedc)
		l.server.Serve(listener) // always ErrServerClosed: nobody else closes the listener
	}()
	return l, nil
}

// take judges what a browser brings. One without our state is not ours: any page may
// send a browser here, and must not end the login.
func (l *redirect) take(w http.ResponseWriter, q url.Values) {
	x := l.expected
	state, iss := q.Get("state"), q.Get("iss")
	if subtle.ConstantTimeCompare([]byte(state), []byte(x.state)) == 0 {
		page(w, http.StatusBadRequest, "This is not the login that was begun.")
		return
	}
	f := found{code: q.Get("code")}
	switch {
	case x.issuer != "" && iss != "" && iss != x.issuer:
		f = found{err: errors.New("oauth: the redirect comes from another issuer than " + x.issuer + " (RFC 9207): the login may be under attack")}
	case x.required && iss == "":
		f = found{err: errors.New("oauth: the redirect does not say that it comes from " + x.issuer + ", which always does (RFC 9207): the login may be under attack")}
	case q.Get("error") != "":
		h := hush{x.state}
		e := &Error{where: authEndpoint}
		known, _ := knownCode(q.Get("error"))
		e.say(known, finding{code: q.Get("error"), shown: true}, q.Get("error_description"), h)
		f = found{err: e}
	case f.code == "":
		f = found{err: &Error{where: authEndpoint, detail: "neither a code nor an error"}}
	}
	select {
	case l.foundc <- f:
	default: // reloaded: the first one counts
	}
	if f.err != nil {
		page(w, http.StatusBadRequest, "The login did not succeed. You may close this page; the program says more.")
		return
	}
	page(w, http.StatusOK, "You may close this page and go back to the program.")
}

// page answers the browser. Nothing that it brought is repeated.
func page(w http.ResponseWriter, status int, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'")
	h.Set("Referrer-Policy", "no-referrer") // the address has the code in it
	h.Set("Connection", "close")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<!DOCTYPE html>\n<title>Login</title>\n<p>%s</p>\n", text)
}

func (l *redirect) wait(ctx context.Context) (code string, err error) {
	select {
	case f := <-l.foundc:
		return f.code, f.err
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// close ends the listener; a page that is being written has a second.
func (l *redirect) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if l.server.Shutdown(ctx) != nil {
		l.server.Close()
	}
	<-l.servedc
}
