package oauth_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/oauth"
)

// listen gives an address of 127.0.0.1 where serve meets every connection.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	donec := make(chan struct{}) // closed when nothing is accepted any more
	go func() {
		defer close(donec)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serve(c)
		}
	}()
	t.Cleanup(func() { l.Close(); <-donec })
	return l.Addr().String()
}

// refreshAt sends one refresh token to a real transport of its own.
func refreshAt(ctx context.Context, t *testing.T, tokenURL string) error {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	cfg := userConfig()
	cfg.Endpoint.TokenURL = tokenURL
	_, err := oauth.RefreshToken(cfg, oauth.Options{Client: &http.Client{Transport: transport}}).Refresh(ctx, "x",
		manager.Token{RefreshToken: manager.NewSecret(refreshToken)})
	if err == nil {
		t.Fatal("got a token, want an error")
	}
	checkSecrets(t, err)
	return err
}

func TestNotSentDial(t *testing.T) {
	address := listen(t, func(c net.Conn) { c.Close() })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	l.Close()
	err = refreshAt(t.Context(), t, "http://"+closed+"/token")
	checkMarks(t, err, declined)

	// The same without a word, once connected, is not the same.
	err = refreshAt(t.Context(), t, "http://"+address+"/token")
	checkMarks(t, err, unmarked)
}

// A certificate that is not trusted, and a server that does not speak TLS at all.
func TestNotSentTLS(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.NotFoundHandler())
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	defer srv.Close()
	err := refreshAt(t.Context(), t, srv.URL)
	checkMarks(t, err, declined)

	address := listen(t, func(c net.Conn) {
		_, _ = c.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
		c.Close()
	})
	err = refreshAt(t.Context(), t, "https://"+address+"/token")
	checkMarks(t, err, declined)
}

// A time limit that ends while a connection is made spends nothing; one that ends
// while the answer is awaited may have.
func TestNotSentTimeLimit(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	address := listen(t, func(c net.Conn) {
		b := make([]byte, 1)
		_, _ = c.Read(b) // the first byte of the greeting of TLS
		cancel()
		_, _ = c.Read(make([]byte, 4096))
		c.Close()
	})
	err := refreshAt(ctx, t, "https://"+address+"/token")
	checkMarks(t, err, declined)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}

	ctx, cancel = context.WithCancel(t.Context())
	address = listen(t, func(c net.Conn) {
		_, _ = http.ReadRequest(bufio.NewReader(c))
		cancel()
		_, _ = c.Read(make([]byte, 4096))
		c.Close()
	})
	err = refreshAt(ctx, t, "http://"+address+"/token")
	checkMarks(t, err, unmarked)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
}

// A server that reads and hangs up: the refresh token may be spent.
func TestSentAndReset(t *testing.T) {
	address := listen(t, func(c net.Conn) {
		_, _ = http.ReadRequest(bufio.NewReader(c))
		c.Close()
	})
	err := refreshAt(t.Context(), t, "http://"+address+"/token")
	checkMarks(t, err, unmarked)
}

// An answer that is not HTTP is quoted by net/http, tokens and all.
func TestAnswerIsNotHTTP(t *testing.T) {
	for _, answer := range []string{
		"{\"access_token\":\"at-1\"}\r\n\r\n",
		"HTTP/1.1 200 OK\r\naccess_token=at-1\r\n\r\n",
		"HTTP/1.1 200 OK\r\naccess token=at-1: x\r\n\r\n",
		"HTTP/1.1 at-1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: at-1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: at-1\r\n\r\n",
	} {
		address := listen(t, func(c net.Conn) {
			_, _ = http.ReadRequest(bufio.NewReader(c))
			_, _ = c.Write([]byte(answer))
			c.Close()
		})
		err := refreshAt(t.Context(), t, "http://"+address+"/token")
		checkMarks(t, err, unmarked)
	}
}

// What a redirected request met does not say what the first one did.
func TestRedirectThenDial(t *testing.T) {
	w := &wire{}
	w.answer = func(*http.Request) (*http.Response, error) {
		if len(w.sent) > 1 {
			return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
		}
		return response(307, "", "Location", "/v2"), nil
	}
	_, err := spend(t, w)
	checkMarks(t, err, unmarked)
}

// A transport that tried twice may have sent the first, whatever the second says.
func TestWroteThenDial(t *testing.T) {
	requestc := make(chan struct{}, 1)
	address := listen(t, func(c net.Conn) {
		_, _ = http.ReadRequest(bufio.NewReader(c))
		requestc <- struct{}{}
		c.Close()
	})
	twice := roundTripper(func(r *http.Request) (*http.Response, error) {
		first := &http.Transport{}
		if _, err := first.RoundTrip(r); err == nil {
			t.Error("got an answer, want none")
		}
		<-requestc
		return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	})
	cfg := userConfig()
	cfg.Endpoint.TokenURL = "http://" + address + "/token"
	_, err := oauth.RefreshToken(cfg, oauth.Options{Client: &http.Client{Transport: twice}}).Refresh(t.Context(), "x",
		manager.Token{RefreshToken: manager.NewSecret(refreshToken)})
	checkMarks(t, err, unmarked)
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
