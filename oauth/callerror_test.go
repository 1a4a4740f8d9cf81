package oauth_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/textproto"
	"net/url"
	"syscall"
	"testing"
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
	}
}
