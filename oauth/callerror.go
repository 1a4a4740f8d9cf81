package oauth

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"syscall"
)

// A callError is the end of a token request that got no answer. It has no Unwrap: what
// is beneath quotes a malformed answer, and that may be a token. Is looks through it,
// and As for errors of the network, which quote none.
type callError struct {
	text  string
	cause func() error // a function, where no printer finds its text
}

// newCallError shows of cause what comes before the first quotation.
func newCallError(origin string, cause error, h hush) *callError {
	for {
		wrapped, ok := cause.(*url.Error)
		if !ok {
			break
		}
		cause = wrapped.Err // without the URL, whose query may hold a key
	}
	text := cause.Error()
	if h.clean(text) != "" { // before the cut, which may divide a secret
		text, _, _ = strings.Cut(text, `"`)
		text, _, _ = strings.Cut(text, "malformed MIME header") // quoted without quotation marks
		text = h.clean(text)
	} else {
		text = ""
	}
	if text == "" {
		text = fmt.Sprintf("%T", cause)
	}
	return &callError{fmt.Sprintf("oauth: no answer from %s: %s", origin, text), func() error { return cause }}
}

func (e *callError) Error() string { return e.text }

func (e *callError) Is(target error) bool { return errors.Is(e.cause(), target) }

// As finds what programs ask about a network that failed.
func (e *callError) As(target any) bool {
	switch target.(type) {
	case *net.Error, **net.OpError, **net.DNSError, *syscall.Errno, **tls.CertificateVerificationError:
		return errors.As(e.cause(), target)
	}
	return false
}
