package client

import (
	"errors"
	"net"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"example.com/tokenactor/manager"
)

// shownPart is how many bytes of a token in a row may be in an error text: fewer are found
// by chance, and are no secret.
const shownPart = 12

// mask returns err with the token taken out of its text, whole or in part: a Base that is a
// client of its own wraps errors in *url.Error, which prints the URL; one that logs may
// quote a header, or cut it.
func mask(err error, token *manager.Token) error {
	secret := token.AccessToken.Reveal()
	if secret == "" {
		return err
	}
	h := hiding{secret}
	for _, spelling := range []string{url.QueryEscape(secret), url.PathEscape(secret), within(strconv.Quote(secret)), within(strconv.QuoteToASCII(secret))} {
		if !slices.Contains(h, spelling) {
			h = append(h, spelling)
		}
	}
	if text := err.Error(); h.hide(text) == text {
		return err
	}
	return &maskedError{err, h}
}

func within(quoted string) string { return quoted[1 : len(quoted)-1] }

// A hiding has the spellings of a secret.
type hiding []string

// hide returns text without them, and without parts of them.
func (h hiding) hide(text string) string {
	var b strings.Builder
	for begin := 0; begin < len(text); {
		n := h.at(text[begin:])
		if n == 0 {
			b.WriteByte(text[begin])
			begin++
			continue
		}
		b.WriteString("[secret]")
		begin += n
	}
	return b.String()
}

// at returns how many bytes of a spelling text begins with, 0 if too few for it to be one.
func (h hiding) at(text string) (most int) {
	for _, spelling := range h {
		n := min(shownPart, len(spelling))
		for n <= len(text) && n > most && strings.Contains(spelling, text[:n]) {
			most = n
			n++
		}
	}
	return most
}

// A maskedError is an error with another text. It has no Unwrap: what is beneath
// prints the token. Is and As look through it all the same.
type maskedError struct {
	err error
	hiding
}

func (e *maskedError) Error() string { return e.hide(e.err.Error()) }

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
	if !ok || e.hide(err.Error()) == err.Error() {
		return true
	}
	if u, ok := target.(**url.Error); ok {
		*u = &url.Error{Op: (*u).Op, URL: e.hide((*u).URL), Err: &maskedError{(*u).Err, e.hiding}}
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
