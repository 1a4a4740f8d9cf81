package scene

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"example.com/tokenactor/bench/contender"
)

// accessToken is of the usual size of an opaque token.
const accessToken = "an-opaque-access-token-of-the-usual-forty-odd-bytes"

// skew is tokenactor's and x/oauth2's default for tokens of an hour.
const skew = 10 * time.Second

// A subject is a contender set up, with a token of one hour to be had.
type subject struct {
	made   any
	logins atomic.Int32
}

func open(c contender.Contender, access string) (*subject, error) {
	s := new(subject)
	made, err := c.Open(contender.Job{Skew: skew, Login: func(context.Context) (contender.Token, error) {
		s.logins.Add(1)
		return contender.Token{Access: access, Expiry: time.Now().Add(time.Hour)}, nil
	}})
	s.made = made
	return s, err
}

// as gives what a contender made as what a scene needs, or the reason why it
// cannot.
func as[T any](made any, lacks string) (T, error) {
	t, ok := made.(T)
	if !ok {
		return t, Cannot(lacks)
	}
	return t, nil
}

// A Decorator is a contender that puts its token into requests.
type Decorator interface {
	// Transport gives the RoundTripper that a user would put around base.
	Transport(base http.RoundTripper) (http.RoundTripper, error)
}

func (s *subject) transport(base http.RoundTripper) (http.RoundTripper, error) {
	d, err := as[Decorator](s.made, "it offers no http.RoundTripper")
	if err != nil {
		return nil, err
	}
	return d.Transport(base)
}

// close stops the contender. More than the one login it began with is an error:
// then something else than a valid token was measured.
func (s *subject) close() error {
	err := contender.Close(s.made)
	if n := s.logins.Load(); n > 1 {
		err = errors.Join(err, fmt.Errorf("%d logins while one token was valid, want 1", n))
	}
	return err
}
