package scene

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"example.com/tokenactor/bench/contender"
)

// RoundTrip is what a decorator adds to a request. Its numbers count the headers
// that the request has already, for those are what must be copied.
var RoundTrip = roundTripScene("roundtrip", ShortToken,
	"a request with so many headers through the decorator, over a base that answers 200 without a network")

// RoundTripLong is a scene of its own, for a result has no other place to say how
// long the token is.
var RoundTripLong = roundTripScene("roundtrip-1500", LongToken, "as roundtrip, with a token of 1,500 bytes in place of 50")

// The sizes of access tokens in bytes: an opaque one, and a signed one with many
// claims.
const (
	ShortToken = 50
	LongToken  = 1500
)

func roundTripScene(name string, tokenBytes int, about string) Scene {
	return Scene{
		Name:    name,
		About:   about,
		Metrics: []Metric{{Name: "ns/op", Unit: "ns"}, {Name: "B/op", Unit: "B"}, {Name: "allocs/op", Unit: "allocs"}},
		Ratio:   "ns/op",
		Callers: []int{0, 4, 12},
		Quick:   []int{4},
		Noun:    "header",
		Longer:  1,
		Rounds:  4,
		Open: func(_ context.Context, headers int) (*Stage, error) {
			return &Stage{Goroutines: 1, Run: func(ctx context.Context, c contender.Contender, d time.Duration) (Sample, error) {
				t, err := NewTrip(ctx, c, headers, tokenBytes)
				if err != nil {
					return Sample{}, err
				}
				s, err := fill(1, d, t.Crew)
				allocs, bytes := s.eachAllocates()
				return values(map[string]float64{"ns/op": s.perCall(s.wall, time.Nanosecond), "B/op": bytes, "allocs/op": allocs}), errors.Join(err, t.Close())
			}}, nil
		},
	}
}

// A Trip is one contender's decorator and a request to send through it.
type Trip struct {
	subject *subject
	rt      http.RoundTripper
	req     *http.Request
}

// NewTrip sets a new one of the contender up, with a token of that size, and sends
// a request with so many headers once.
func NewTrip(ctx context.Context, c contender.Contender, headers, tokenBytes int) (*Trip, error) {
	access := strings.Repeat("x", tokenBytes)
	s, err := open(c, access)
	if err != nil {
		return nil, err
	}
	base := &nowhere{resp: http.Response{StatusCode: http.StatusOK, Body: http.NoBody}}
	t := &Trip{subject: s, req: request(ctx, headers)}
	if t.rt, err = s.transport(base); err == nil {
		err = t.trips(1)
	}
	if err == nil && !c.Yardstick {
		err = base.check(access, headers)
	}
	if err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// usual are the headers that requests have, in the order in which they get them.
var usual = []string{"Accept", "Accept-Encoding", "User-Agent", "X-Request-Id", "Cache-Control", "If-None-Match",
	"Accept-Language", "Traceparent", "Tracestate", "X-Tenant", "X-Region", "X-Client"}

func request(ctx context.Context, headers int) *http.Request {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://api.example.com/invoices", nil)
	if err != nil {
		panic("scene: " + err.Error()) // nothing of it varies
	}
	for i := range headers {
		name := fmt.Sprintf("X-Header-%d", i)
		if i < len(usual) {
			name = usual[i]
		}
		req.Header.Set(name, "value")
	}
	return req
}

// trips sends the request n times, through an interface as net/http does.
func (t *Trip) trips(n int) error {
	var resp *http.Response
	for range n {
		var err error
		if resp, err = t.rt.RoundTrip(t.req); err != nil {
			return err
		}
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the status is %d, want 200", resp.StatusCode)
	}
	return nil
}

// Crew makes one caller that sends the request n times.
func (t *Trip) Crew(n int) *Crew {
	return NewCrew(1, func() {}, func(int) error { return t.trips(n) })
}

// Close stops the contender. A second login is an error.
func (t *Trip) Close() error { return t.subject.close() }

// nowhere is a base without a network. It keeps the request that it got last.
type nowhere struct {
	resp http.Response
	last *http.Request
}

func (n *nowhere) RoundTrip(req *http.Request) (*http.Response, error) {
	n.last = req
	return &n.resp, nil
}

// check looks at the request that arrived: all headers, and the token.
func (n *nowhere) check(access string, headers int) error {
	got := n.last.Header
	if want := "Bearer " + access; got.Get("Authorization") != want || len(got) != headers+1 {
		return fmt.Errorf("a request arrived with the headers %v, want %d and Authorization: %s", got, headers, want)
	}
	return nil
}
