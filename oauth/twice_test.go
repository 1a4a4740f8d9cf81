package oauth_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/oauth"
)

// A refresh token is sent once, whatever net/http thinks of sending it again.

// spendAt spends a refresh token at srv, by HTTP/2 if srv offers it.
func spendAt(t *testing.T, srv *httptest.Server, path string) error {
	t.Helper()
	transport := srv.Client().Transport.(*http.Transport).Clone()
	transport.ForceAttemptHTTP2 = true
	defer transport.CloseIdleConnections()
	cfg := userConfig()
	cfg.Endpoint.TokenURL = srv.URL + path
	_, err := oauth.RefreshToken(cfg, oauth.Options{Client: &http.Client{Transport: transport}}).Refresh(t.Context(), "x",
		manager.Token{RefreshToken: manager.NewSecret(refreshToken)})
	return err
}

// net/http repeats a POST whose stream the server ends with PROTOCOL_ERROR or
// REFUSED_STREAM, at once and up to six times.
func TestSentOnceByHTTP2(t *testing.T) {
	for name, code := range map[string]uint32{"PROTOCOL_ERROR": 1, "INTERNAL_ERROR": 2, "REFUSED_STREAM": 7} {
		var requests atomic.Int32
		srv := httptest.NewUnstartedServer(nil)
		srv.TLS = &tls.Config{NextProtos: []string{"h2"}}
		srv.Config.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){
			"h2": func(_ *http.Server, c *tls.Conn, _ http.Handler) {
				resetStreams(c, code, func() (again bool) { return requests.Add(1) == 1 })
			},
		}
		srv.StartTLS()
		err := spendAt(t, srv, "/token")
		srv.Close()
		checkMarks(t, err, unmarked)
		checkSecrets(t, err)
		if n := requests.Load(); err == nil || n != 1 {
			t.Errorf("%s: got %v after the refresh token was sent %d times, want once", name, err, n)
		}
	}
}

// resetStreams is a server of HTTP/2 (RFC 9113) that reads each request to its end
// and then resets its stream, or hangs up.
func resetStreams(c net.Conn, code uint32, read func() (again bool)) {
	in := bufio.NewReader(c)
	if _, err := in.Discard(len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")); err != nil {
		return
	}
	frame := func(kind, flags byte, stream uint32, payload ...byte) {
		head := []byte{0, 0, byte(len(payload)), kind, flags}
		head = binary.BigEndian.AppendUint32(head, stream)
		_, _ = c.Write(append(head, payload...))
	}
	const data, rstStream, settings, ack, endStream = 0, 3, 4, 1, 1
	frame(settings, 0, 0)
	for {
		var head [9]byte
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return
		}
		size := int(head[0])<<16 | int(head[1])<<8 | int(head[2])
		if _, err := in.Discard(size); err != nil {
			return
		}
		switch {
		case head[3] == settings && head[4]&ack == 0:
			frame(settings, ack, 0)
		case head[3] == data && head[4]&endStream != 0:
			if !read() {
				return
			}
			frame(rstStream, 0, binary.BigEndian.Uint32(head[5:]), binary.BigEndian.AppendUint32(nil, code)...)
		}
	}
}

// What is wanted by HTTP/2 goes on: tokens, redirects that keep the method, refusals.
// A handler that breaks off may have spent the refresh token.
func TestHTTP2(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/old":
			http.Redirect(w, r, "/token", http.StatusTemporaryRedirect)
		case "/abort":
			panic(http.ErrAbortHandler)
		default:
			if r.ProtoMajor != 2 || r.FormValue("refresh_token") != refreshToken {
				http.Error(w, "not by HTTP/2, or without its form", http.StatusTeapot)
				return
			}
			_, _ = io.WriteString(w, good)
		}
	}))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	defer srv.Close()
	for _, path := range []string{"/token", "/old"} {
		if err := spendAt(t, srv, path); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	err := spendAt(t, srv, "/abort")
	if err == nil {
		t.Fatal("got a token, want an error")
	}
	checkMarks(t, err, unmarked)
}

// A kept connection that ends after the second request was read on it: a GET would be
// repeated on a new one.
func TestSentOnceOnAKeptConnection(t *testing.T) {
	var requests atomic.Int32
	address := listen(t, func(c net.Conn) {
		in := bufio.NewReader(c)
		for {
			r, err := http.ReadRequest(in)
			if err != nil {
				break
			}
			_, _ = io.Copy(io.Discard, r.Body)
			if requests.Add(1)%2 == 0 {
				break
			}
			_, _ = fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(good), good)
		}
		c.Close()
	})
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	cfg := userConfig()
	cfg.Endpoint.TokenURL = "http://" + address + "/token"
	r := oauth.RefreshToken(cfg, oauth.Options{Client: &http.Client{Transport: transport}})
	prev := manager.Token{RefreshToken: manager.NewSecret(refreshToken)}
	if _, err := r.Refresh(t.Context(), "x", prev); err != nil {
		t.Fatal(err)
	}
	_, err := r.Refresh(t.Context(), "x", prev)
	checkMarks(t, err, unmarked)
	if n := requests.Load(); err == nil || n != 2 {
		t.Errorf("got %v after %d requests, want an error after the second", err, n)
	}
}

// A refusal whose body breaks off is not the server's last word.
func TestCutRefusal(t *testing.T) {
	for _, sent := range []string{"", `{"error":"invalid_re`, `error=invalid_req`} {
		address := listen(t, func(c net.Conn) {
			r, err := http.ReadRequest(bufio.NewReader(c))
			if err == nil {
				_, _ = io.Copy(io.Discard, r.Body)
			}
			_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 99\r\n\r\n"+sent)
			c.Close()
		})
		err := refreshAt(context.Background(), t, "http://"+address+"/token")
		checkMarks(t, err, unmarked)
		if want := "oauth: the token endpoint answered 400: a body that broke off"; err.Error() != want {
			t.Errorf("%q: got %v, want %s", sent, err, want)
		}
	}
}
