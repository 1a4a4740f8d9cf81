package oauth_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"syscall"
	"testing"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/oauth"
	"golang.org/x/oauth2"
)

func TestNoAnswer(t *testing.T) {
	dial := &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	proxy := &net.OpError{Op: "proxyconnect", Net: "tcp", Err: syscall.ECONNREFUSED}
	read := &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	for _, test := range []struct {
		err  error
		want marking
		text string // after "oauth: no answer from https://auth.example.com: "
	}{
		{dial, declined, "dial tcp: connection refused"},
		{&url.Error{Op: "Post", URL: tokenURL + "?key=at-key", Err: dial}, declined, "dial tcp: connection refused"},
		{proxy, declined, "proxyconnect tcp: connection refused"},
		{read, unmarked, "read tcp: connection reset by peer"},
		{io.EOF, unmarked, "EOF"},
		{context.DeadlineExceeded, unmarked, "context deadline exceeded"},
		{errors.New(`malformed HTTP response "{\"access_token\":\"at-1\"}"`), unmarked, "malformed HTTP response"},
		{textproto.ProtocolError("malformed MIME header line: access_token=at-1"), unmarked, "textproto.ProtocolError"},
		{errors.New("circuit open after " + refreshToken), unmarked, "*errors.errorString"},
	} {
		_, err := spend(t, failing(test.err))
		checkMarks(t, err, test.want)
		checkSecrets(t, err)
		if want := "oauth: no answer from https://auth.example.com: " + test.text; err.Error() != want {
			t.Errorf("%T\n got %s\nwant %s", test.err, err, want)
		}
		if cause := errors.Unwrap(test.err); !errors.Is(err, test.err) && !errors.Is(err, cause) {
			t.Errorf("%v: the cause is not in the error", test.err)
		}
		checkChain(t, err)
	}
	_, err := spend(t, failing(fmt.Errorf("wrapped: %w", dial)))
	op, isOp := errors.AsType[*net.OpError](err)
	number, isErrno := errors.AsType[syscall.Errno](err)
	_, isNet := errors.AsType[net.Error](err)
	if !isOp || op != dial || !isErrno || number != syscall.ECONNREFUSED || !isNet {
		t.Errorf("As: got %v, %v, %v, want what the network said", op, number, isNet)
	}
	if _, ok := errors.AsType[textproto.ProtocolError](err); ok {
		t.Error("As finds an error that may hold a body")
	}
}

// checkChain looks for a body or a secret in all that errors.Unwrap reaches.
func checkChain(t *testing.T, err error) {
	t.Helper()
	for ; err != nil; err = errors.Unwrap(err) {
		checkSecrets(t, err)
		if many, ok := err.(interface{ Unwrap() []error }); ok {
			for _, err := range many.Unwrap() {
				checkChain(t, err)
			}
		}
	}
}

// What a server sends in place of HTTP is in no text, and in nothing that is beneath.
func TestMalformedAnswers(t *testing.T) {
	const token = `{"access_token":"at-new","refresh_token":"at-newer"}`
	for name, answer := range map[string]string{
		"no HTTP":      token + "\r\n\r\n",
		"header":       "HTTP/1.1 200 OK\r\n" + token + "\r\n\r\n",
		"length":       "HTTP/1.1 200 OK\r\nContent-Length: " + token + "\r\n\r\n",
		"location":     "HTTP/1.1 302 Found\r\nLocation: http://at-new:at-newer/%zz\r\n\r\n",
		"encoding":     "HTTP/1.1 200 OK\r\nTransfer-Encoding: at-new\r\n\r\n",
		"chunk":        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + token,
		"status":       "HTTP/1.1 at-new at-newer\r\n\r\n",
		"second token": "HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n{\"access_token\":\"at-new",
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					_, _ = http.ReadRequest(bufio.NewReader(c))
					_, _ = io.WriteString(c, answer)
					_ = c.Close()
				}
			}()
			cfg := userConfig()
			cfg.Endpoint.TokenURL = "http://" + l.Addr().String() + "/token"
			_, err = oauth.RefreshToken(cfg).Refresh(t.Context(), "x", manager.Token{RefreshToken: manager.NewSecret(refreshToken)})
			if err == nil {
				t.Fatal("no error")
			}
			checkChain(t, err)
			_, err = oauth.FromTokenSource(cfg.TokenSource(t.Context(), &oauth2.Token{RefreshToken: refreshToken})).Refresh(t.Context(), "x", manager.Token{})
			checkChain(t, err)
		})
	}
}
