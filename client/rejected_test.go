package client_test

import (
	"errors"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"example.com/tokenactor/client"
)

func TestInvalidToken(t *testing.T) {
	for _, test := range []struct {
		status     int
		challenges []string
		want       bool
	}{
		{200, nil, false},
		{403, []string{`Bearer error="invalid_token"`}, false},
		{407, nil, false},
		{401, nil, true},
		{401, []string{"Bearer"}, true},
		{401, []string{`Basic realm="api"`}, true},
		{401, []string{`Bearer realm="api", error="invalid_token", error_description="The access token expired"`}, true},
		{401, []string{`Bearer error="expired_token"`}, true},
		{401, []string{`Bearer error="insufficient_scope", scope="a b"`}, false},
		{401, []string{`Bearer error=insufficient_scope`}, false},
		{401, []string{`DPoP error="use_dpop_nonce", algs="ES256"`}, false},
		{401, []string{`DPoP error="invalid_dpop_proof"`}, false},
		{401, []string{`Bearer error="insufficient_user_authentication", acr_values="gold"`}, false},
		{401, []string{`Bearer realm="", error="insufficient_claims", claims="eyJhY2Nlc3NfdG9rZW4iOnt9fQ=="`}, false},
		{401, []string{`Basic realm="a, error=\"insufficient_scope\""`}, true},
		{401, []string{`Basic realm="api"`, `Bearer error="insufficient_scope"`}, false},
		{401, []string{`Bearer error="insufficient_scope", DPoP error="invalid_token"`}, true},
		{401, []string{`, ,"garbage`}, true},
	} {
		resp := answer(test.status, "", "")
		resp.Header["Www-Authenticate"] = test.challenges
		if got := client.InvalidToken(resp); got != test.want {
			t.Errorf("%d %q: got %t, want %t", test.status, test.challenges, got, test.want)
		}
	}
}

// A rule of one's own sees every response and decides alone.
func TestRejectedReplacesTheRule(t *testing.T) {
	for _, test := range []struct {
		answers []*http.Response
		want    int
	}{
		{[]*http.Response{answer(200, "", `{"ok":false,"error":"token_expired"}`), answer(200, "", `{"ok":true}`)}, 200},
		{[]*http.Response{answer(200, "", `{"ok":false,"error":"not_found"}`)}, 200},
		{[]*http.Response{answer(401, "", `{"ok":false}`)}, 401},
	} {
		sends, bodies := 0, []string(nil)
		for _, resp := range test.answers {
			body, _ := io.ReadAll(resp.Body)
			bodies = append(bodies, string(body))
			resp.Body = io.NopCloser(strings.NewReader(string(body)))
		}
		rt := &client.Transport{
			Source: newSource("T1"),
			Base: baseFunc(func(*http.Request) (*http.Response, error) {
				sends++
				return test.answers[sends-1], nil
			}),
			Rejected: client.RejectedBody(0, func(_ int, body []byte) bool {
				return strings.Contains(string(body), "token_expired")
			}),
		}
		resp, err := rt.RoundTrip(getRequest(0))
		if err != nil {
			t.Fatal(err)
		}
		last := bodies[len(bodies)-1]
		if got := text(t, resp); got != last || resp.StatusCode != test.want || sends != len(bodies) {
			t.Errorf("got %d %q after %d sends, want %d %q after %d", resp.StatusCode, got, sends, test.want, last, len(bodies))
		}
	}
}

// A connection that was switched to another protocol is not read from.
func TestRejectedBodyLeavesAnUpgradeAlone(t *testing.T) {
	resp := answer(http.StatusSwitchingProtocols, "", "")
	resp.Body = io.NopCloser(iotest.ErrReader(errors.New("read")))
	body := resp.Body
	rule := client.RejectedBody(0, func(int, []byte) bool {
		t.Error("the rule was asked")
		return true
	})
	if rule(resp) || resp.Body != body {
		t.Error("the response was touched")
	}
}

// Whatever the body and the limit: the rule sees the beginning, the caller gets
// all of it with the error it ended with, and it is closed once.
func FuzzRejectedBody(f *testing.F) {
	f.Add("", int64(0), false)
	f.Add("hello", int64(4), false)
	f.Add("hello", int64(5), true)
	f.Add("hello", int64(6), false)
	f.Add("hello", int64(math.MaxInt64), false)
	f.Add("hello", int64(-1), true)
	f.Fuzz(func(t *testing.T, content string, limit int64, fails bool) {
		var end error
		src := io.Reader(strings.NewReader(content))
		if fails {
			end = errors.New("connection reset")
			src = io.MultiReader(src, iotest.ErrReader(end))
		}
		body := newCountedBody(iotest.HalfReader(src))
		resp := &http.Response{StatusCode: http.StatusOK, Body: body}
		bound := limit
		if limit <= 0 {
			bound = 64 << 10
		}
		rule := client.RejectedBody(limit, func(status int, head []byte) bool {
			if status != http.StatusOK || int64(len(head)) > bound || !strings.HasPrefix(content, string(head)) ||
				int64(len(head)) < min(bound, int64(len(content))) {
				t.Errorf("limit %d: the rule saw %d and %q of %q", limit, status, head, content)
			}
			return true
		})
		if !rule(resp) {
			t.Error("the rule's answer was lost")
		}
		got, err := io.ReadAll(resp.Body)
		if string(got) != content || !errors.Is(err, end) {
			t.Errorf("limit %d: put back %q and %v, want %q and %v", limit, got, err, content, end)
		}
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
		body.check(t)
	})
}
