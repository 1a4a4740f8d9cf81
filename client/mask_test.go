package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"example.com/tokenactor/client"
)

// Whatever Base wraps its error in, no text of it shows the token, and what
// callers look for in it is found.
func TestErrorsAreMasked(t *testing.T) {
	escaped := url.QueryEscape(secret)
	for _, err := range []error{
		&url.Error{Op: "Get", URL: "https://api.example.com/?key=" + escaped, Err: os.ErrDeadlineExceeded},
		fmt.Errorf("wrapped: %w", &url.Error{Op: "Get", URL: "https://api.example.com/?key=" + escaped, Err: os.ErrDeadlineExceeded}),
		fmt.Errorf("sent %q: %w", "Bearer "+secret, os.ErrDeadlineExceeded),
		&url.Error{Op: "Get", URL: "https://api.example.com/", Err: fmt.Errorf("sent %s: %w", secret, os.ErrDeadlineExceeded)},
		&net.OpError{Op: "dial " + secret, Err: os.ErrDeadlineExceeded},
		&leaky{secret, os.ErrDeadlineExceeded},
		leaked{secret, os.ErrDeadlineExceeded},
	} {
		for _, place := range []client.Place{nil, client.Query("key")} {
			rt := &client.Transport{Source: newSource(secret), Place: place, Base: baseFunc(func(*http.Request) (*http.Response, error) {
				return nil, err
			})}
			_, got := (&http.Client{Transport: rt}).Get("https://api.example.com/")
			texts := fmt.Sprintf("%v %+v %#v %s %q", got, got, got, got, got)
			for e := got; e != nil; e = errors.Unwrap(e) {
				texts += fmt.Sprintf("%v %+v %#v", e, e, e)
			}
			if u, ok := errors.AsType[*url.Error](errors.Unwrap(got)); ok {
				texts += fmt.Sprintf("%v %s", u, u.URL)
			}
			if o, ok := errors.AsType[*net.OpError](got); ok {
				texts += o.Error()
			}
			if l, ok := errors.AsType[*leaky](got); ok {
				texts += l.Error()
			}
			if strings.Contains(texts, secret) || strings.Contains(texts, escaped) {
				t.Errorf("%T: the token is in %s", err, texts)
			}
			if !strings.Contains(got.Error(), "[secret]") {
				t.Errorf("%T: got %q, want the token's place shown", err, got)
			}
			before, _ := errors.AsType[net.Error](err)
			after, ok := errors.AsType[net.Error](got)
			if !errors.Is(got, os.ErrDeadlineExceeded) || !ok || after.Timeout() != before.Timeout() || temporary(after) != temporary(before) {
				t.Errorf("%T: got %v, want a time-out where Base's error is one", err, got)
			}
		}
	}
}

func temporary(err net.Error) bool { return err.(interface{ Temporary() bool }).Temporary() }

type leaky struct {
	token string
	err   error
}

func (l *leaky) Error() string { return "leaky " + l.token }
func (l *leaky) Unwrap() error { return l.err }

type leaked struct {
	token string
	error
}

func (l leaked) Error() string { return "leaked " + l.token }
func (l leaked) Unwrap() error { return l.error }

// An error without the token is Base's own, untouched.
func TestErrorsWithoutTheTokenAreUntouched(t *testing.T) {
	for _, err := range []error{io.ErrUnexpectedEOF, context.Canceled, &url.Error{Op: "Get", URL: "https://api.example.com/", Err: io.EOF}} {
		rt := &client.Transport{Source: newSource(secret), Base: baseFunc(func(*http.Request) (*http.Response, error) { return nil, err })}
		if _, got := rt.RoundTrip(getRequest(0)); got != err {
			t.Errorf("got %v, want %v itself", got, err)
		}
	}
}
