package oauth

import (
	"crypto/ecdsa"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"example.com/tokenactor/manager"
)

// A document is that of the issuer asked, or an error; its endpoints are held to the
// rules when they are used.
func FuzzMetadata(f *testing.F) {
	f.Add([]byte(`{"issuer":"https://auth.example.com","token_endpoint":"https://auth.example.com/t","code_challenge_methods_supported":["S256"]}`))
	f.Add([]byte(`{"issuer":["https://auth.example.com"]}`))
	f.Add([]byte(`{"issuer":"https://auth.example.com","mtls_endpoint_aliases":{"token_endpoint":""}}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, body []byte) {
		const issuer = "https://auth.example.com"
		m, err := parseMetadata(body, issuer)
		if (err == nil) != (m.Issuer == issuer) || err != nil && (m.Endpoint.TokenURL != "" || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%q: got %+v, %v", body, m, err)
		}
	})
}

// Whatever header an issuer sends, its document is asked for again within a day and
// not within a minute.
func FuzzCacheControl(f *testing.F) {
	f.Add("max-age=3600, public")
	f.Add("no-store")
	f.Add(`max-age="-1",max-age=1e400`)
	f.Fuzz(func(t *testing.T, value string) {
		if life := cacheLife(http.Header{"Cache-Control": {value}}); life < metadataLeast || life > metadataMost {
			t.Errorf("%q: got %v", value, life)
		}
	})
}

// Whatever comes to the listener, only what has the state of the login ends it, and
// nothing of it is in the page.
func FuzzRedirect(f *testing.F) {
	f.Add("state=the-state-of-it&code=at-code")
	f.Add("state=the-state-of-it&error=access_denied&error_description=%3Cscript%3E")
	f.Add("state=the-state-of-it&iss=https://evil.example.com&code=x")
	f.Add("state=&code=x")
	f.Fuzz(func(t *testing.T, query string) {
		q, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		l := &redirect{expected: expectation{state: "the-state-of-it", issuer: "https://auth.example.com"}, foundc: make(chan found, 1)}
		w := httptest.NewRecorder()
		l.take(w, q)
		ours := q.Get("state") == "the-state-of-it"
		if (len(l.foundc) == 1) != ours {
			t.Fatalf("%q ended the login: %v", query, !ours)
		}
		if page := w.Body.String(); strings.Count(page, "<") != 5 {
			t.Errorf("%q is in the page: %s", query, page)
		}
		if !ours {
			return
		}
		got := <-l.foundc
		if (got.err == nil) != (w.Code == 200) || got.err == nil && got.code == "" {
			t.Errorf("%q: got %q, %v, and the browser %d", query, got.code, got.err, w.Code)
		}
		if iss := q.Get("iss"); got.err == nil && iss != "" && iss != "https://auth.example.com" {
			t.Errorf("%q: another issuer counts", query)
		}
	})
}

// Of the drift nothing can make a time that does not fit.
func FuzzDrift(f *testing.F) {
	f.Add("Sun, 01 Mar 2026 12:00:00 GMT", int64(0))
	f.Add("Fri, 31 Dec 9999 23:59:59 GMT", int64(1))
	f.Fuzz(func(t *testing.T, date string, took int64) {
		var d drift
		sent := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
		d.learn(http.Header{"Date": {date}}, sent, sent.Add(time.Duration(took)), 0)
		_ = time.Now().Add(d.read()).Unix()
		if at, err := http.ParseTime(date); err == nil && took == 0 && at.Sub(sent).Abs() < time.Second && d.ahead.Load() != 0 {
			t.Errorf("%q: a clock that is right is corrected by %d", date, d.ahead.Load())
		}
	})
}

// The key that a token carries is read as it was written, and nothing else is a key.
func FuzzStoredKey(f *testing.F) {
	made, stored, err := generate()
	if err != nil {
		f.Fatal(err)
	}
	want := &made.signer().Signer.(*ecdsa.PrivateKey).PublicKey
	f.Add(stored.Reveal())
	f.Add(base64.StdEncoding.EncodeToString([]byte("nonsense")))
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		b := NewDPoP(Key{}).state()
		k, err := b.keyOf(&manager.Token{Extra: map[string]manager.Secret{keyField: manager.NewSecret(text)}})
		switch {
		case text == stored.Reveal():
			if err != nil || !want.Equal(k.signer().Public()) {
				t.Errorf("got %v, %v, want the key that was written", k, err)
			}
		case err != nil && (!k.IsZero() || len(text) > 8 && strings.Contains(err.Error(), text)):
			t.Errorf("%q: got %v, %v", text, k, err)
		case err == nil && k.IsZero() != (text == ""):
			t.Errorf("%q: got %v and no error", text, k)
		}
	})
}
