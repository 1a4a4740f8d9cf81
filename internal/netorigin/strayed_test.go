package netorigin

import (
	"net/http"
	"testing"
)

func request(t *testing.T, url string, before *http.Request) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if before != nil {
		req.Response = &http.Response{Request: before}
	}
	return req
}

func TestStrayed(t *testing.T) {
	const home, secure, abroad = "http://api.example.com", "https://api.example.com", "http://example.com"
	circle := request(t, home, nil)
	circle.Response = &http.Response{Request: circle}
	for name, test := range map[string]struct {
		answered func(sent *http.Request) *http.Request
		want     string
	}{
		"by whom it does not say":  {func(*http.Request) *http.Request { return nil }, ""},
		"the request itself":       {func(sent *http.Request) *http.Request { return sent }, ""},
		"a copy of it":             {func(sent *http.Request) *http.Request { return sent.Clone(t.Context()) }, ""},
		"another path":             {func(sent *http.Request) *http.Request { return request(t, home+"/2", sent) }, ""},
		"the same, secured":        {func(sent *http.Request) *http.Request { return request(t, secure, sent) }, ""},
		"elsewhere":                {func(sent *http.Request) *http.Request { return request(t, abroad, sent) }, abroad},
		"elsewhere, by a rewriter": {func(*http.Request) *http.Request { return request(t, abroad, nil) }, abroad},
		"elsewhere and back": {func(sent *http.Request) *http.Request {
			return request(t, home, request(t, abroad, sent.Clone(t.Context())))
		}, abroad},
		"a handler's request": {func(*http.Request) *http.Request { return request(t, "/path", nil) }, ""},
		"without URL":         {func(*http.Request) *http.Request { return &http.Request{} }, ""},
		"a circle":            {func(*http.Request) *http.Request { return circle }, ""},
	} {
		// The request is itself the hop of a redirect from elsewhere, which the
		// walk must not reach.
		sent := request(t, home, request(t, "https://first.example.com", nil))
		to, strayed := Strayed(sent, &http.Response{Request: test.answered(sent)}, nil)
		if strayed != (test.want != "") || strayed && to.String() != test.want {
			t.Errorf("%s: got %v %t, want %q", name, to, strayed, test.want)
		}
	}
	sent := request(t, home, nil)
	if _, strayed := Strayed(sent, &http.Response{Request: request(t, abroad, sent)}, func(*http.Request) bool { return true }); strayed {
		t.Error("strayed to where it may go")
	}
}
