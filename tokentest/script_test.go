package tokentest_test

import (
	"net/http"
	"net/url"
	"slices"
	"testing"

	"example.com/tokenactor/tokentest"
)

func TestScript(t *testing.T) {
	srv := newServer(t, tokentest.Options{})
	statuses := func(n int) (list []int) {
		for range n {
			r, err := ask(srv.Client(), srv, url.Values{"grant_type": {"client_credentials"}})
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, r.status)
		}
		return list
	}

	srv.Next(tokentest.Times(2, tokentest.Status(503))...)
	srv.Next(tokentest.Fault{}, tokentest.Status(400))
	srv.Always(tokentest.Status(502))
	if got, want := statuses(6), []int{503, 503, 200, 400, 502, 502}; !slices.Equal(got, want) {
		t.Errorf("statuses %v, want %v", got, want)
	}

	srv.Next(tokentest.Status(503))
	srv.RefuseAPI(tokentest.Forbidden)
	srv.Heal()
	if got, want := statuses(1), []int{200}; !slices.Equal(got, want) {
		t.Errorf("after Heal: %v, want %v", got, want)
	}
	if got := get(t, srv, srv.Login().AccessToken); got != http.StatusOK {
		t.Errorf("API after Heal: %d, want 200", got)
	}
}
