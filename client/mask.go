package client

import (
	"errors"
	"net"
	"net/url"
	"reflect"
	"strings"

	"example.com/tokenactor/manager"
)

// mask gives err with the token taken out of its text: a Base that is a client
// of its own wraps errors in *url.Error, which prints the URL, and one that logs
// may quote a header.
func mask(err error, token *manager.Token) error {
	secret := token.AccessToken.Reveal()
	r := strings.NewReplacer(secret, "[secret]", url.QueryEscape(secret), "[secret]")
	if secret == "" || r.Replace(err.Error()) == err.Error() {
		return err
	}
	return &maskedError{err, r}
}

// A maskedError is an error with another text. It has no Unwrap: what is beneath
// prints the token. Is and As look through it all the same.
type maskedError struct {
	err  error
	hide *strings.Replacer
}

func (e *maskedError) Error() string { return e.hide.Replace(e.err.Error()) }

// GoString keeps %#v from printing what is beneath.
func (e *maskedError) GoString() string { return "client: " + e.Error() }

func (e *maskedError) Is(target error) bool { return errors.Is(e.err, target) }

// As finds what is beneath if its own text is clean, and of a *url.Error makes a
// clean copy.
func (e *maskedError) As(target any) bool {
	if !errors.As(e.err, target) {
		return false
	}
	found := reflect.ValueOf(target).Elem()
	err, ok := found.Interface().(error)
	if !ok || e.hide.Replace(err.Error()) == err.Error() {
		return true
	}
	if u, ok := target.(**url.Error); ok {
		*u = &url.Error{Op: (*u).Op, URL: e.hide.Replace((*u).URL), Err: &maskedError{(*u).Err, e.hide}}
		return true
	}
	found.SetZero()
	return false
}

// Timeout and Temporary make it a net.Error, as nearly every error of a Base is.
func (e *maskedError) Timeout() bool {
	t, ok := errors.AsType[net.Error](e.err)
	return ok && t.Timeout()
}

func (e *maskedError) Temporary() bool {
	t, ok := errors.AsType[interface {
		error
		Temporary() bool
	}](e.err)
	return ok && t.Temporary()
}
