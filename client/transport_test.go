package client_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"example.com/tokenactor/client"
)

// baseFunc makes a function a Base.
type baseFunc func(*http.Request) (*http.Response, error)

func (f baseFunc) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// answer is a response with a body and, where not "", a challenge.
func answer(status int, challenge, body string) *http.Response {
	resp := &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
	if challenge != "" {
		resp.Header.Set("WWW-Authenticate", challenge)
	}
	return resp
}

// accepting answers 200 to the good token and 401 to every other, and notes the
// Authorization of each request.
func accepting(good string, seen *[]string) baseFunc {
	return func(req *http.Request) (*http.Response, error) {
		if req.Body != nil {
			_, _ = io.Copy(io.Discard, req.Body)
			_ = req.Body.Close()
		}
		*seen = append(*seen, req.Header.Get("Authorization"))
		if req.Header.Get("Authorization") != "Bearer "+good {
			return answer(http.StatusUnauthorized, "", "refused"), nil
		}
		return answer(http.StatusOK, "", "welcome"), nil
	}
}

func text(t *testing.T, resp *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Errorf("reading the body of the %d: %v", resp.StatusCode, err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Errorf("closing the body of the %d: %v", resp.StatusCode, err)
	}
	return string(b)
}

func TestRoundTripRenewsAndReplaysOnce(t *testing.T) {
	var seen []string
	source := newSource("T1")
	rt := &client.Transport{Source: source, Base: accepting("T2", &seen)}
	req := getRequest(4)
	before := len(req.Header)

	resp, err := rt.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	if got := text(t, resp); resp.StatusCode != http.StatusOK || got != "welcome" {
		t.Errorf("got %d %q, want 200 and welcome", resp.StatusCode, got)
	}
	if got := strings.Join(seen, ", "); got != "Bearer T1, Bearer T2" {
		t.Errorf("sent %s, want T1, then T2", got)
	}
	if source.renewals() != 1 {
		t.Errorf("%d renewals, want 1", source.renewals())
	}
	if resp.Request != req {
		t.Error("resp.Request is not the caller's request")
	}
	if len(req.Header) != before || req.Header.Get("Authorization") != "" {
		t.Errorf("the caller's request was changed: %v", req.Header)
	}
}

func TestRoundTripGivesTheOriginal401WhenTheRenewalFails(t *testing.T) {
	var seen []string
	source := newSource("T1")
	source.fail = errors.New("endpoint down")
	rt := &client.Transport{Source: source, Base: accepting("T2", &seen)}
	resp, err := rt.RoundTrip(getRequest(0))
	if err != nil {
		t.Fatal(err)
	}
	if got := text(t, resp); resp.StatusCode != http.StatusUnauthorized || got != "refused" || len(seen) != 1 {
		t.Errorf("got %d %q after %d sends, want the whole 401 after one", resp.StatusCode, got, len(seen))
	}
}

func TestRoundTripNeedsAToken(t *testing.T) {
	never := baseFunc(func(*http.Request) (*http.Response, error) {
		t.Error("a request was sent")
		return nil, io.EOF
	})
	for _, rt := range []*client.Transport{{Base: never}, {Base: never, Source: noToken{}}} {
		body := newCountedBody(strings.NewReader("hello"))
		req, _ := http.NewRequest(http.MethodPost, "https://api.example.com/", body)
		if _, err := rt.RoundTrip(req); err == nil {
			t.Errorf("Source %v: no error", rt.Source)
		}
		if n := body.closes.Load(); n != 1 {
			t.Errorf("Source %v: body closed %d times, want 1", rt.Source, n)
		}
	}
}

func TestRoundTripEndsWithItsContext(t *testing.T) {
	cause := errors.New("the user left")
	ctx, cancel := context.WithCancelCause(t.Context())
	source := newSource("T1")
	var seen []string
	base := accepting("T2", &seen)
	rt := &client.Transport{Source: source, Base: baseFunc(func(req *http.Request) (*http.Response, error) {
		cancel(cause)
		return base(req)
	})}
	resp, err := rt.RoundTrip(getRequest(0).WithContext(ctx))
	if !errors.Is(err, cause) {
		t.Errorf("got %v, %v, want the context's cause", resp, err)
	}
}

func TestOwnAuthorizationIsLeftAlone(t *testing.T) {
	for _, own := range []http.Header{{"Authorization": {"Basic eA=="}}, {"Authorization": nil}} {
		var seen []string
		source := newSource("T1")
		rt := &client.Transport{Source: source, Base: accepting("T2", &seen)}
		req := getRequest(0)
		req.Header = own
		resp, err := rt.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if len(seen) != 1 || seen[0] != own.Get("Authorization") || source.renewals() != 0 {
			t.Errorf("%v: sent %q with %d renewals", own, seen, source.renewals())
		}
	}
}

func TestAuthorize(t *testing.T) {
	source := newSource("T1")
	req := &http.Request{}
	for _, want := range []string{"T1", "T2"} {
		token, err := client.Authorize(t.Context(), source, req)
		if err != nil {
			t.Fatal(err)
		}
		if got := req.Header.Get("Authorization"); got != "Bearer "+want {
			t.Errorf("got %q, want Bearer %s", got, want)
		}
		if _, err := source.Renew(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := client.Authorize(t.Context(), noToken{}, req); !errors.Is(err, errNoToken) {
		t.Errorf("got %v, want the source's error", err)
	}
}

// However many headers there are, and if there is no map of them, the token is
// one more.
func TestHeadersAreCopied(t *testing.T) {
	for headers := range len(headerNames) + 1 {
		var sent http.Header
		rt := &client.Transport{Source: newSource("T1"), Base: baseFunc(func(req *http.Request) (*http.Response, error) {
			sent = req.Header
			return answer(http.StatusOK, "", ""), nil
		})}
		req := getRequest(headers)
		if headers == 0 {
			req.Header = nil
		}
		if _, err := rt.RoundTrip(req); err != nil {
			t.Fatal(err)
		}
		if len(sent) != headers+1 || sent.Get("Authorization") != "Bearer T1" || len(req.Header) != headers {
			t.Errorf("%d headers: sent %v, kept %v", headers, sent, req.Header)
		}
		for name, values := range req.Header {
			if !slices.Equal(sent[name], values) {
				t.Errorf("%d headers: %s was sent as %v, want %v", headers, name, sent[name], values)
			}
		}
	}
}

func TestNew(t *testing.T) {
	srv := httptest.NewServer(bearers("T2"))
	defer srv.Close()
	api := client.New(newSource("T1"))
	defer api.CloseIdleConnections()
	if got := get(t, api, srv.URL); got != http.StatusOK {
		t.Errorf("got %d, want 200", got)
	}
}

// A Base that breaks its contract is an error, not a panic.
func TestBaseWithoutAnswer(t *testing.T) {
	rt := &client.Transport{Source: newSource("T1"), Base: baseFunc(func(*http.Request) (*http.Response, error) { return nil, nil })}
	if resp, err := rt.RoundTrip(getRequest(0)); err == nil {
		t.Errorf("got %v and no error", resp)
	}
}

func TestCloseIdleConnections(t *testing.T) {
	base := &closer{}
	c := http.Client{Transport: &client.Transport{Source: newSource("T1"), Base: base}}
	c.CloseIdleConnections()
	if !base.closed {
		t.Error("Base was not told")
	}
}

type closer struct {
	http.RoundTripper
	closed bool
}

func (c *closer) CloseIdleConnections() { c.closed = true }
