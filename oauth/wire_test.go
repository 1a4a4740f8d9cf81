package oauth_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/oauth"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

const (
	tokenURL     = "https://auth.example.com/token"
	clientSecret = "a client secret: 50% & more"
	refreshToken = "rt/first+of+its+family=="
)

// A wire is a network in memory: it answers requests and keeps them.
type wire struct {
	answer func(*http.Request) (*http.Response, error)
	delay  time.Duration // before each answer
	sent   []request
}

type request struct {
	method, url string
	header      http.Header
	form        url.Values
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	time.Sleep(w.delay)
	w.sent = append(w.sent, request{r.Method, r.URL.String(), r.Header, form})
	return w.answer(r)
}

func (w *wire) options() oauth.Options {
	return oauth.Options{Client: &http.Client{Transport: w}}
}

// answering makes a wire with one answer to everything. header is pairs.
func answering(status int, body string, header ...string) *wire {
	return &wire{answer: func(*http.Request) (*http.Response, error) {
		return response(status, body, header...), nil
	}}
}

// failing makes a wire on which every request ends with err.
func failing(err error) *wire {
	return &wire{answer: func(*http.Request) (*http.Response, error) { return nil, err }}
}

func response(status int, body string, header ...string) *http.Response {
	h := http.Header{"Content-Type": {"application/json"}}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body))}
}

func clientConfig() clientcredentials.Config {
	return clientcredentials.Config{ClientID: "crawler", ClientSecret: clientSecret, TokenURL: tokenURL}
}

func userConfig() oauth2.Config {
	return oauth2.Config{ClientID: "crawler", ClientSecret: clientSecret, Endpoint: oauth2.Endpoint{TokenURL: tokenURL}}
}

// spend is one refresh of the refresh token grant over w.
func spend(t *testing.T, w *wire) (manager.Token, error) {
	t.Helper()
	return oauth.RefreshToken(userConfig(), w.options()).Refresh(t.Context(), "user",
		manager.Token{RefreshToken: manager.NewSecret(refreshToken)})
}

// A marking is what a Refresher's error is to be marked with.
type marking func(error) error

func unmarked(err error) error      { return err }
func declined(err error) error      { return manager.NotSent(err) }
func answered(err error) error      { return manager.Answered(err) }
func suspected(err error) error     { return manager.LoginSuspected(err) }
func permanent(err error) error     { return manager.Permanent(err) }
func loginRequired(err error) error { return manager.LoginRequired(err) }

func after(d time.Duration, inner marking) marking {
	return func(err error) error { return manager.RetryAfter(inner(err), d) }
}

// checkMarks compares by making the marks again: the manager alone can read them.
func checkMarks(t *testing.T, got error, want marking) {
	t.Helper()
	bare := got
	for strings.HasPrefix(fmt.Sprintf("%T", bare), "*manager.") {
		bare = errors.Unwrap(bare)
	}
	if wanted := want(bare); !reflect.DeepEqual(got, wanted) {
		t.Errorf("marks of %q\n got %s\nwant %s", got, chain(got), chain(wanted))
	}
}

func chain(err error) string {
	if err == nil {
		return "nil"
	}
	s := fmt.Sprintf("%T", err)
	if v := reflect.ValueOf(err); strings.HasPrefix(s, "*manager.") {
		s += fmt.Sprintf("{class %v, after %v}", v.Elem().FieldByName("class"), v.Elem().FieldByName("after"))
	}
	return s + " " + chain(errors.Unwrap(err))
}
