package oauth

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"example.com/tokenactor/manager"
)

// Any answer is a token or an Error, never both, never neither, and the times of a
// token are sane.
func FuzzDecode(f *testing.F) {
	for _, body := range []string{
		`{"access_token":"A","token_type":"Bearer","expires_in":3600,"refresh_token":"R","scope":"read"}`,
		`{"access_token":"A","expires_in":"-1e999","refresh_in":1e999,"refresh_expires_in":"Inf","scope":["a","b"],"x":{"y":[1]}}`,
		`{"error":"invalid_grant","error_description":"spent"}`,
		`access_token=A&expires_in=60`,
		`<b>Notice</b>: x {"access_token":"A","refresh_token":"R"} <!-- x -->`,
		`{"data":{"access_token":"A","refresh_token":"R"}}`,
		`<a href="?x=1&access_token=A">`,
		`{"errors":[{"errorType":"RefreshTokenExpired"}]}`, `{"error":{"is_transient":true,"code":190}}`,
		"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff", "\ufeff{}", `{"a":`, `[]`, `null`, ``, `<html>`,
	} {
		f.Add(200, "application/json", body)
		f.Add(400, "text/plain", body)
	}
	f.Fuzz(func(t *testing.T, status int, media, body string) {
		sent := time.Date(2026, time.March, 1, 0, 0, 0, 0, time.UTC)
		r := &reply{status: status, header: http.Header{"Content-Type": {media}, "Location": {body}}, body: []byte(body), sent: sent,
			target: &url.URL{Scheme: "https", Host: "auth.example.com", Path: "/token"},
			spent:  true,
			hush:   hush{"a secret of the request"}}
		token, refusal := r.token(tokenEndpoint)
		if refusal != nil {
			if !token.AccessToken.IsZero() || refusal.Status != status || strings.Contains(refusal.Error(), "\n") {
				t.Errorf("%q: got %v and %q", body, token, refusal)
			}
			// No verdict without a judge: a status of 4xx, 5xx or 2xx, and words that we know.
			switch class := refusal.class; class {
			case manager.ClassFinal, manager.ClassConfiguration:
				if known, of := knownCode(refusal.Code); known != refusal.Code || of != class || redirects(status) {
					t.Errorf("%d %q: got %v of class %s", status, body, refusal, class)
				}
			case manager.ClassNotSent, manager.ClassUnknown, manager.ClassAnswered, manager.ClassSuspected:
			default:
				t.Errorf("%d %q: got %v of class %q", status, body, refusal, class)
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
			r := &reply{status: 200, header: http.Header{"Content-Type": {media}}, body: []byte(body), sent: time.Now(), spent: true}
			token, refusal := r.token(tokenEndpoint)
			if refusal != nil {
				t.Fatalf("%s: %v", body, refusal)
			}
			want := time.Duration(min(life, int64(longest/time.Second))) * time.Second
			if life <= 0 {
				want = 0
				if refresh != "" {
					want = -time.Second
				}
			}
			shown := strings.Map(func(r rune) rune { // a scope is printed, in logs and errors
				if unicode.IsPrint(r) {
					return r
				}
				return ' '
			}, scope)
			if token.AccessToken.Reveal() != access || token.RefreshToken.Reveal() != refresh || token.Scope != shown ||
				token.ExpiresIn != want || token.Extra[name].Reveal() != extra {
				t.Errorf("%s: got %q %q %q %v %q", body, token.AccessToken.Reveal(), token.RefreshToken.Reveal(), token.Scope,
					token.ExpiresIn, token.Extra[name].Reveal())
			}
		}
	})
}

// An object with a token is found whatever follows it, and what is found behind a text
// is an object of that text, whole.
func FuzzWholeAnswer(f *testing.F) {
	const object = `{"access_token":"A","refresh_token":"R"}`
	f.Add("<b>Notice</b> ", "<!-- x -->", false)
	f.Add(`{"data":`, `}`, true)
	f.Add("[", "]", false)
	f.Add(`{"}":[`, `"`, true)
	f.Add(`)]}',`, object, true)
	f.Fuzz(func(t *testing.T, before, after string, broken bool) {
		r := &reply{status: 200, header: http.Header{"Content-Type": {"text/html"}}, body: []byte(object + after), sent: time.Now(), spent: true}
		if broken {
			r.broken = io.ErrUnexpectedEOF
		}
		token, refusal := r.token(tokenEndpoint)
		if refusal != nil || token.AccessToken.Reveal() != "A" || token.RefreshToken.Reveal() != "R" {
			t.Errorf("%q behind the object: got %v, %v", after, token, refusal)
		}
		if strings.Contains(before, "access_token") || strings.Contains(after, "access_token") {
			return // of another one
		}
		r.body = []byte(before + object + after)
		token, refusal = r.token(tokenEndpoint)
		if refusal == nil && (token.AccessToken.Reveal() != "A" || token.RefreshToken.Reveal() != "R") {
			t.Errorf("%q and %q around the object: got %v", before, after, token)
		}
		// Inside of another value it does not count.
		if token, refusal := (&reply{status: 200, body: []byte(`{"data":[` + object + `]}` + after)}).token(tokenEndpoint); refusal == nil {
			t.Errorf("part of another value, %q behind it: got %v", after, token)
		}
	})
}

// However a code is written, it is the same code.
func FuzzWords(f *testing.F) {
	f.Add("RefreshTokenReused")
	f.Add("invalid grant")
	f.Add("HTTPError_2x")
	f.Fuzz(func(t *testing.T, text string) {
		for _, r := range text {
			if r >= utf8.RuneSelf {
				return // small letters of other scripts may be several
			}
		}
		w := words(text)
		if again := words(strings.ToUpper(strings.Join(w, "_"))); !slices.Equal(again, w) {
			t.Errorf("%q: got %q, and of these written in capitals %q", text, w, again)
		}
		known, _ := knownCode(text)
		if same, _ := knownCode(strings.Join(w, " ")); same != known {
			t.Errorf("%q is %q, and its words %q", text, known, same)
		}
	})
}
