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
	"strconv"
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

// A token that is quoted, or cut, is no less a token.
func TestErrorsAreMaskedInPart(t *testing.T) {
	const token = `tok"en\with/odd+characters=and-more-of-them-0123456789`
	for _, text := range []string{
		token, url.QueryEscape(token), url.PathEscape(token), strconv.Quote("Bearer " + token), fmt.Sprintf("%+q", token),
		token[:20] + "…", "…" + token[len(token)-20:], token[10:30], url.QueryEscape(token)[:24], strconv.Quote(token)[:24], token + token,
	} {
		rt := &client.Transport{Source: newSource(token), Base: baseFunc(func(*http.Request) (*http.Response, error) {
			return nil, errors.New("sent: " + text + "; no answer")
		})}
		_, err := (&http.Client{Transport: rt}).Get("https://api.example.com/")
		if err == nil {
			t.Fatal("no error")
		}
		_, got, _ := strings.Cut(err.Error(), "sent: ")
		for begin := range len(got) - 11 {
			for _, spelling := range []string{token, url.QueryEscape(token), strconv.Quote(token)} {
				if part := got[begin : begin+12]; strings.Contains(spelling, part) {
					t.Fatalf("%s: %q of the token is in %s", text, part, got)
				}
			}
		}
		if !strings.Contains(got, "[secret]") || !strings.HasSuffix(got, "; no answer") {
			t.Errorf("%s: got %q, want the rest of the text as it was", text, got)
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
