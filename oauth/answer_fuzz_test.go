package oauth

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// Any answer is a token or an Error, never both, never neither, and the times of a
// token are sane.
func FuzzDecode(f *testing.F) {
	for _, body := range []string{
		`{"access_token":"A","token_type":"Bearer","expires_in":3600,"refresh_token":"R","scope":"read"}`,
		`{"access_token":"A","expires_in":"-1e999","refresh_in":1e999,"refresh_expires_in":"Inf","scope":["a","b"],"x":{"y":[1]}}`,
		`{"error":"invalid_grant","error_description":"spent"}`,
		`access_token=A&expires_in=60`,
		"\ufeff{}", `{"a":`, `[]`, `null`, ``, `<html>`,
	} {
		f.Add(200, "application/json", body)
		f.Add(400, "text/plain", body)
	}
	f.Fuzz(func(t *testing.T, status int, media, body string) {
		sent := time.Date(2026, time.March, 1, 0, 0, 0, 0, time.UTC)
		r := &reply{status: status, header: http.Header{"Content-Type": {media}}, body: []byte(body), sent: sent,
			hush: hush{"a secret of the request"}}
		token, refusal := r.token(tokenEndpoint)
		if refusal != nil {
			if !token.AccessToken.IsZero() || refusal.Status != status || strings.Contains(refusal.Error(), "\n") {
				t.Errorf("%q: got %v and %q", body, token, refusal)
			}
			return
		}
		if token.AccessToken.IsZero() || !success(status) {
			t.Errorf("%d %q: got %v, want an error", status, body, token)
		}
		sane := func(d time.Duration) bool { return d >= -time.Second && d <= longest }
		if !sane(token.ExpiresIn) || !sane(token.RefreshIn) || !sane(token.RefreshExpiresIn) || token.RefreshExpiresIn < 0 {
			t.Errorf("%q: life %v, refresh in %v, refresh life %v", body, token.ExpiresIn, token.RefreshIn, token.RefreshExpiresIn)
		}
	})
}

// What a server writes as JSON or as a form arrives as it was.
func FuzzAnswerRoundTrip(f *testing.F) {
	f.Add("at-1", "rt-1", "read write", int64(3600), "x", "y")
	f.Add("a&=%+\u00e9", "{\"}", "[\"a\"]", int64(-1), "error", "no")
	f.Fuzz(func(t *testing.T, access, refresh, scope string, life int64, name, extra string) {
		for _, s := range []string{access, refresh, scope, name, extra} {
			if !utf8.ValidString(s) {
				return // JSON holds text only
			}
		}
		if access == "" || extra == "" || standard[name] {
			return // no answer with a token, or no extra field
		}
		fields := map[string]string{"access_token": access, "refresh_token": refresh, "scope": scope,
			"expires_in": strconv.FormatInt(life, 10), name: extra}
		object, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		form := make(url.Values)
		for name, value := range fields {
			form.Set(name, value)
		}
		for media, body := range map[string]string{"application/json": string(object), "application/x-www-form-urlencoded": form.Encode()} {
			r := &reply{status: 200, header: http.Header{"Content-Type": {media}}, body: []byte(body), sent: time.Now()}
			token, refusal := r.token(tokenEndpoint)
			if refusal != nil {
				t.Fatalf("%s: %v", body, refusal)
			}
			want := -time.Second
			if life > 0 {
				want = time.Duration(min(life, int64(longest/time.Second))) * time.Second
			}
			if token.AccessToken.Reveal() != access || token.RefreshToken.Reveal() != refresh || token.Scope != scope ||
				token.ExpiresIn != want || token.Extra[name].Reveal() != extra {
				t.Errorf("%s: got %q %q %q %v %q", body, token.AccessToken.Reveal(), token.RefreshToken.Reveal(), token.Scope,
					token.ExpiresIn, token.Extra[name].Reveal())
			}
		}
	})
}
