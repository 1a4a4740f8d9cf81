package client_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"example.com/tokenactor/client"
	"example.com/tokenactor/manager"
)

// Each Place puts the token where the server looks, after a renewal too, and
// leaves no trace of it in the caller's request.
func TestPlaces(t *testing.T) {
	for _, p := range places {
		t.Run(p.name, func(t *testing.T) {
			var found []bool
			rt := &client.Transport{Source: newSource("T1"), Place: p.place, Base: baseFunc(func(req *http.Request) (*http.Response, error) {
				found = append(found, p.found(req))
				if len(found) == 1 {
					return answer(http.StatusUnauthorized, "", ""), nil
				}
				return answer(http.StatusOK, "", ""), nil
			})}
			source := newSource(secret)
			rt.Source = source
			req := getRequest(9)
			before := fmt.Sprint(req.URL, req.Header)
			resp, err := rt.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = text(t, resp)
			if len(found) != 2 || !found[0] || found[1] {
				t.Errorf("found the first token in %v, want in the first of two sends", found)
			}
			if after := fmt.Sprint(resp.Request.URL, resp.Request.Header); resp.Request != req || after != before {
				t.Errorf("the caller's request was %s, is %s", before, after)
			}
		})
	}
}

// The rest of a query stays as it stands, in its order and spelling.
func TestQueryKeepsTheRest(t *testing.T) {
	for _, test := range []struct{ before, sent string }{
		{"", "key=a%2Bb"},
		{"z=1&a=%7e", "z=1&a=%7e&key=a%2Bb"},
		{"bad=%zz;&&x", "bad=%zz;&&x&key=a%2Bb"},
		{"key=own&x=1", "key=own&x=1"},
		{"x=1&k%65y=own", "x=1&k%65y=own"},
		{"KEY=1", "KEY=1&key=a%2Bb"},
	} {
		var sent string
		rt := &client.Transport{Source: newSource("a+b"), Place: client.Query("key"), Base: baseFunc(func(req *http.Request) (*http.Response, error) {
			sent = req.URL.RawQuery
			return answer(http.StatusOK, "", ""), nil
		})}
		req := getRequest(0)
		req.URL.RawQuery = test.before
		if _, err := rt.RoundTrip(req); err != nil {
			t.Fatal(err)
		}
		if sent != test.sent || req.URL.RawQuery != test.before {
			t.Errorf("%q was sent as %q and is now %q, want %q sent", test.before, sent, req.URL.RawQuery, test.sent)
		}
	}
}

// A server that repeats the query in a redirect to itself gets the newest token,
// and not twice; the next hop abroad gets neither the parameter nor a Referer
// that holds it.
func TestQueryRepeatedByTheServer(t *testing.T) {
	var seen []string
	source := newSource(secret)
	base := baseFunc(func(req *http.Request) (*http.Response, error) {
		seen = append(seen, req.URL.String()+" from "+req.Referer())
		resp := answer(http.StatusFound, "", "")
		switch len(seen) {
		case 1:
			resp.Header.Set("Location", "/2?"+req.URL.RawQuery)
		case 2:
			resp.Header.Set("Location", "https://example.com/3?"+req.URL.RawQuery)
		default:
			resp.StatusCode = http.StatusOK
		}
		return resp, nil
	})
	c := &http.Client{Transport: &client.Transport{Source: source, Place: client.Query("key"), Base: base}}
	resp, err := c.Get("https://api.example.com/1?a=b")
	if err != nil {
		t.Fatal(err)
	}
	_ = text(t, resp)
	escaped := url.QueryEscape(secret)
	want := []string{
		"https://api.example.com/1?a=b&key=" + escaped + " from ",
		"https://api.example.com/2?a=b&key=" + escaped + " from https://api.example.com/1?a=b",
		"https://example.com/3?a=b from ",
	}
	if got := strings.Join(seen, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("sent\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

// A server may repeat the token in any form: what the caller sees has it not, nor
// what another origin sees. What it puts into another part of a redirect to
// itself stays, and no Referer takes it along.
func TestQueryRepeatedInAnyForm(t *testing.T) {
	escaped := url.QueryEscape(secret)
	for _, test := range []struct {
		locations []string
		want      []string // URLs and Referers sent, {} the token's place
	}{
		{[]string{"/items/?x=1&key=" + escaped}, []string{"https://api.example.com/items/?x=1&{} from https://api.example.com/items"}},
		{[]string{"/items/?key=" + escaped + "#part"}, []string{"https://api.example.com/items/?{}#part from https://api.example.com/items"}},
		{[]string{"https://login.example.org/?next=" + url.QueryEscape("https://api.example.com/items?key="+escaped)},
			[]string{"https://login.example.org/?next=https%3A%2F%2Fapi.example.com%2Fitems%3Fkey%3D from https://api.example.com/items"}},
		{[]string{"https://login.example.org/" + url.PathEscape(secret) + "/x"}, []string{"https://login.example.org//x from https://api.example.com/items"}},
		// Escaped in a way of its own: all that may hold it goes.
		{[]string{"https://login.example.org/p?next=s3cr%2ft%2btoken%3d%3d"}, []string{"https://login.example.org/p from https://api.example.com/items"}},
		{[]string{"https://login.example.org/s3cr%2ft%2btoken%3d%3d?a=b"}, []string{"https://login.example.org/ from https://api.example.com/items"}},
		{[]string{"https://login.example.org/?a=%2573%2533cr%25252ft%25252btoken%25253d%25253d"}, []string{"https://login.example.org/ from https://api.example.com/items"}},
		// Home, then away.
		{[]string{"/c?next=" + url.QueryEscape("/a?key="+escaped), "https://example.org/"},
			[]string{"https://api.example.com/c?next=%2Fa%3Fkey%3D" + url.QueryEscape(escaped) + "&{} from https://api.example.com/items", "https://example.org/ from "}},
		{[]string{"/e/" + url.PathEscape(secret), "https://example.org/", "https://example.net/"},
			[]string{"https://api.example.com/e/" + url.PathEscape(secret) + "?{} from https://api.example.com/items", "https://example.org/ from ", "https://example.net/ from "}},
	} {
		var seen []string
		base := baseFunc(func(req *http.Request) (*http.Response, error) {
			seen = append(seen, req.URL.String()+" from "+req.Referer())
			if len(seen) > len(test.locations) {
				return answer(http.StatusOK, "", ""), nil
			}
			resp := answer(http.StatusFound, "", "")
			resp.Header.Set("Location", test.locations[len(seen)-1])
			return resp, nil
		})
		c := &http.Client{Transport: &client.Transport{Source: newSource(secret), Place: client.Query("key"), Base: base}}
		resp, err := c.Get("https://api.example.com/items")
		if err != nil {
			t.Fatal(err)
		}
		_ = text(t, resp)
		got := strings.ReplaceAll(strings.Join(seen[1:], "\n"), "key="+escaped, "{}")
		if want := strings.Join(test.want, "\n"); got != want {
			t.Errorf("%q: sent\n%s\nwant\n%s", test.locations, got, want)
		}
		if len(test.locations) == 1 && shows(resp.Request.URL.String()) {
			t.Errorf("resp.Request shows the token: %s", resp.Request.URL)
		}
	}
}

// http.ServeMux repeats the query where it adds a slash: neither resp.Request nor
// the error of a time-out shows it.
func TestQueryAndTheSlashOfServeMux(t *testing.T) {
	mux := http.NewServeMux()
	slow := false
	mux.HandleFunc("/items/", func(_ http.ResponseWriter, r *http.Request) {
		if slow {
			<-r.Context().Done()
		}
	})
	api := httptest.NewServer(mux)
	defer api.Close()
	c := &http.Client{Transport: &client.Transport{Source: newSource(secret), Place: client.Query("api_key"), Base: api.Client().Transport}}
	resp, err := c.Get(api.URL + "/items?x=1")
	if err != nil {
		t.Fatal(err)
	}
	_ = text(t, resp)
	if got, want := resp.Request.URL.String(), api.URL+"/items/?x=1"; got != want || resp.StatusCode != http.StatusOK {
		t.Errorf("resp.Request is %s (%d), want %s", got, resp.StatusCode, want)
	}
	slow = true
	c.Timeout = 50 * time.Millisecond
	if _, err := c.Get(api.URL + "/items?x=1"); err == nil || shows(err.Error()) || strings.Contains(err.Error(), "api_key") {
		t.Errorf("got %v", err)
	}
}

func TestOwnHeaderIsLeftAlone(t *testing.T) {
	sent := http.Header{}
	rt := &client.Transport{Source: newSource("T1"), Place: client.Header("X-Key"), Base: baseFunc(func(req *http.Request) (*http.Response, error) {
		sent = req.Header
		return answer(http.StatusUnauthorized, "", ""), nil
	})}
	req := getRequest(0)
	req.Header.Set("X-Key", "own")
	if _, err := rt.RoundTrip(req); err != nil || sent.Get("X-Key") != "own" {
		t.Errorf("sent %v, want the caller's key (%v)", sent, err)
	}
	// Authorization is not that place: a gateway may want one of its own.
	req = getRequest(0)
	req.Header.Set("Authorization", "Basic eA==")
	if _, err := rt.RoundTrip(req); err != nil || sent.Get("X-Key") != "T2" && sent.Get("X-Key") != "T1" {
		t.Errorf("sent %v, want a token beside the gateway's Authorization (%v)", sent, err)
	}
}

// A Place that fails ends the request, and its body is closed once.
func TestPlaceFails(t *testing.T) {
	broken := errors.New("no key to sign with")
	for failing := 1; failing <= 2; failing++ {
		puts := 0
		rt := &client.Transport{Source: newSource("T1"), Base: accepting("", new([]string)), Place: client.PlaceFunc(func(*http.Request, *manager.Token) error {
			if puts++; puts == failing {
				return broken
			}
			return nil
		})}
		body := newCountedBody(strings.NewReader("hello"))
		_, err := rt.RoundTrip(mustRequest(t, http.MethodPost, "https://api.example.com", body))
		if !errors.Is(err, broken) || body.closes.Load() != 1 {
			t.Errorf("Put %d fails: got %v and %d closes, want its error and 1", failing, err, body.closes.Load())
		}
	}
}

// A nonce is a Place as DPoP will be: it signs each send and learns the server's
// nonce from the responses.
type nonce struct{ value string }

func (n *nonce) Put(req *http.Request, token *manager.Token) error {
	req.Header.Set("Authorization", "DPoP "+token.AccessToken.Reveal())
	req.Header.Set("DPoP", req.Method+" "+n.value)
	return nil
}

func (n *nonce) Observe(resp *http.Response) bool {
	fresh := resp.Header.Get("DPoP-Nonce")
	if fresh == "" {
		return false
	}
	n.value = fresh
	return resp.StatusCode == http.StatusUnauthorized
}

// A server that wants a nonce gets one more send without a refresh, besides the
// replay that a rejection costs.
func TestObserverAsksForOneMoreSend(t *testing.T) {
	const useNonce, invalid = `DPoP error="use_dpop_nonce"`, `DPoP error="invalid_token"`
	for _, test := range []struct {
		name       string
		maxReplays int
		challenges []string // of the answers; "": accepted
		renewals   int
		status     int
	}{
		{"nonce", 0, []string{useNonce, ""}, 0, 200},
		{"nonce, then rejected", 0, []string{useNonce, invalid, ""}, 1, 200},
		{"rejected, then nonce", 0, []string{invalid, useNonce, ""}, 1, 200},
		{"nonce for ever", 0, []string{useNonce, useNonce}, 0, 401},
		{"no replays", -1, []string{useNonce}, 0, 401},
	} {
		t.Run(test.name, func(t *testing.T) {
			source, place := newSource("T1"), &nonce{}
			var proofs []string
			rt := &client.Transport{Source: source, Place: place, MaxReplays: test.maxReplays, Base: baseFunc(func(req *http.Request) (*http.Response, error) {
				proofs = append(proofs, req.Header.Get("DPoP"))
				challenge := test.challenges[len(proofs)-1]
				if challenge == "" {
					return answer(http.StatusOK, "", ""), nil
				}
				resp := answer(http.StatusUnauthorized, challenge, "")
				if challenge == useNonce {
					resp.Header.Set("DPoP-Nonce", fmt.Sprint("n", len(proofs)))
				}
				return resp, nil
			})}
			req := mustRequest(t, http.MethodPut, "https://api.example.com", strings.NewReader("hello"))
			resp, err := rt.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			if resp.StatusCode != test.status || len(proofs) != len(test.challenges) || source.renewals() != test.renewals {
				t.Errorf("got %d after %d sends and %d renewals, want %d, %d, %d",
					resp.StatusCode, len(proofs), source.renewals(), test.status, len(test.challenges), test.renewals)
			}
			if last := proofs[len(proofs)-1]; test.status == 200 && last == "PUT " {
				t.Errorf("the last proof has no nonce: %q", proofs)
			}
		})
	}
}

// A Place's error shows the token no more than any other.
func TestErrorsOfPlacesAreMasked(t *testing.T) {
	place := client.PlaceFunc(func(req *http.Request, token *manager.Token) error {
		_, err := url.Parse("https://api.example.com/" + token.AccessToken.Reveal() + "%zz")
		return err
	})
	const token = "a-token-of-some-length"
	d := &client.Transport{Source: newSource(token), Place: place, Base: baseFunc(func(*http.Request) (*http.Response, error) {
		t.Error("it was sent")
		return nil, errors.New("not reached")
	})}
	_, err := (&http.Client{Transport: d}).Get("https://api.example.com/")
	if err == nil || strings.Contains(err.Error(), token) || !strings.Contains(err.Error(), "[secret]") {
		t.Errorf("got %v, want one with the token's place shown", err)
	}
}

// The reason of a 401 is found for a request with an empty header in another spelling, too.
func TestReasonBesideAnEmptyHeader(t *testing.T) {
	for _, name := range []string{"Authorization", "authorization"} {
		d := &client.Transport{Source: newSource("T1"), MaxReplays: -1, Base: baseFunc(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusUnauthorized, Header: http.Header{}, Body: http.NoBody}, nil
		})}
		req, err := http.NewRequest(http.MethodGet, "https://api.example.com/", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header[name] = []string{""}
		resp, err := d.RoundTrip(req)
		if err != nil || !errors.Is(client.Reason(resp), client.ErrReplays) {
			t.Errorf("%s: got %v, %v, want ErrReplays", name, client.Reason(resp), err)
		}
	}
}
