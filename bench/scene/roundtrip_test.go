package scene

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"example.com/tokenactor/bench/contender"
)

// decorator is a contender whose RoundTripper the test gives.
func decorator(around func(base http.RoundTripper) http.RoundTripper) contender.Contender {
	return contender.Contender{Name: "fake", Open: func(contender.Job) (any, error) { return decorating(around), nil }}
}

type decorating func(base http.RoundTripper) http.RoundTripper

func (d decorating) Transport(base http.RoundTripper) (http.RoundTripper, error) { return d(base), nil }

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

func TestRequestsHaveSoManyHeaders(t *testing.T) {
	for _, headers := range []int{0, 1, 12, 40} {
		if got := len(request(t.Context(), headers).Header); got != headers {
			t.Errorf("a request has %d headers, want %d", got, headers)
		}
	}
}

// What a contender sends is looked at, unless it is a yardstick.
func TestRequestWithoutTokenIsAnError(t *testing.T) {
	bare := decorator(func(base http.RoundTripper) http.RoundTripper { return base })
	for _, s := range []Scene{RoundTrip, RoundTripLong} {
		if _, err := runOnce(t, s, bare, 2, time.Microsecond); err == nil || !strings.Contains(err.Error(), "Authorization: Bearer") {
			t.Errorf("%s without a token: %v, want an error that shows what is missing", s.Name, err)
		}
	}
	if _, err := runOnce(t, Crawl, bare, 2, time.Microsecond); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("crawl without a token: %v, want the 401", err)
	}
	bare.Yardstick = true
	for _, s := range []Scene{RoundTrip, RoundTripLong, Crawl} {
		if _, err := runOnce(t, s, bare, 2, time.Microsecond); err != nil {
			t.Errorf("%s of a yardstick without a token: %v", s.Name, err)
		}
	}
}

func TestFailedRequestIsAnError(t *testing.T) {
	broken := errors.New("broken")
	for _, s := range []Scene{RoundTrip, Crawl} {
		sent := 0
		failing := decorator(func(base http.RoundTripper) http.RoundTripper {
			return roundTripper(func(req *http.Request) (*http.Response, error) {
				if sent++; sent > 10 {
					return nil, broken
				}
				return base.RoundTrip(req)
			})
		})
		failing.Yardstick = true
		if _, err := runOnce(t, s, failing, 1, time.Second); !errors.Is(err, broken) {
			t.Errorf("%s with a request that fails: %v, want %v", s.Name, err, broken)
		}
	}
}
