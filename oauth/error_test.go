package oauth_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/oauth"
	"golang.org/x/oauth2"
)

const page = "<!DOCTYPE html><title>Bad gateway</title><p>at-stolen-from-the-page"

// sentAsBasic is the hint of a refused client secret.
const sentAsBasic = ": the client's secret was sent as HTTP Basic; if the server wants it in the form, set AuthStyle to oauth2.AuthStyleInParams"

// Scenarios 18 and 19, the part of the token endpoint.
func TestScenario19Refusals(t *testing.T) {
	for _, test := range []struct {
		status int
		body   string
		header string // "Name: value", or none
		want   marking
		text   string // after "oauth: the token endpoint answered "
	}{
		// What RFC 6749 names.
		{400, `{"error":"invalid_grant"}`, "", loginRequired, "400 invalid_grant"},
		{400, `{"error":"invalid_grant","error_description":"it is spent","error_uri":"https://example.com/e"}`, "", loginRequired, `400 invalid_grant "it is spent"`},
		{401, `{"error":"invalid_client"}`, "", permanent, "401 invalid_client" + sentAsBasic},
		{400, `{"error":"unauthorized_client"}`, "", suspected, "400 unauthorized_client"},
		{400, `{"error":"unsupported_grant_type"}`, "", permanent, "400 unsupported_grant_type"},
		{400, `{"error":"invalid_scope"}`, "", permanent, "400 invalid_scope"},
		{400, `{"error":"invalid_client"}`, "Retry-After: 7", permanent, "400 invalid_client" + sentAsBasic},

		// The same with the wrong status or the wrong form.
		{200, `{"error":"invalid_grant"}`, "", loginRequired, "200 invalid_grant"},
		{500, `{"error":"invalid_grant"}`, "", suspected, "500 invalid_grant"},
		{400, `error=invalid_grant&error_description=spent`, "Content-Type: application/x-www-form-urlencoded", loginRequired, `400 invalid_grant "spent"`},
		{400, `error=invalid_grant`, "Content-Type: text/plain", loginRequired, "400 invalid_grant"},

		// Refusals that nobody knows, and what only looks like one.
		{400, `{"error":"invalid_request"}`, "", suspected, "400 invalid_request"},
		{200, `{"error":"bad_refresh_token"}`, "", loginRequired, "200 bad_refresh_token"},
		{401, `{"error":"invalid_token"}`, "", suspected, "401 invalid_token"},
		{403, `{"error":"access_denied"}`, "Retry-After: 7", after(7*time.Second, suspected), "403 access_denied"},
		{400, ``, "", suspected, "400: an empty body"},
		{400, `{}`, "", suspected, "400: no error code"},
		{400, `{"error":null}`, "", suspected, "400: no error code"},
		{400, `{"error":{"code":190,"message":"at-secret"}}`, "", answered, "400 190"},
		{400, `{"error":"<b>at-secret</b>"}`, "", suspected, "400: an error whose code cannot be shown"},
		{400, `{"access_token":"A","expires_in":3600}`, "", suspected, "400: no error code"},
		{400, `{"status":400,"error":"Bad Request"}`, "", answered, "400 Bad Request"},
		{400, page, "", answered, "400: neither JSON nor a form"},
		{400, page, "Content-Type: text/html", answered, "400: a page of HTML"},
		{400, "Bad Request\n", "Content-Type: text/plain; charset=utf-8", answered, "400: neither JSON nor a form"},
		{400, "upstream=auth&reason=reset", "Content-Type: text/plain", answered, "400: no error code"},
		{400, `{"error":"temporarily_unavailable"}`, "", answered, "400 temporarily_unavailable"},
		{401, ``, "", suspected, "401: an empty body"},
		{403, `{"message":"Forbidden"}`, "", suspected, "403: no error code"},
		{403, `{"error":"Forbidden for you"}`, "", suspected, "403 Forbidden for you"},
		{404, `{"status":404,"error":"Not Found"}`, "", answered, "404 Not Found"},
		{404, `{"error":"no_such_realm"}`, "", suspected, "404 no_such_realm"},
		{500, `{"error":"oops"}`, "", answered, "500 oops"},

		// Not now.
		{429, ``, "", declined, "429: an empty body"},
		{429, `{"error":"slow_down"}`, "Retry-After: 7", after(7*time.Second, declined), "429 slow_down"},
		{429, page, "Retry-After: 7", after(7*time.Second, declined), "429: neither JSON nor a form"},
		{429, ``, "Retry-After: -7", declined, "429: an empty body"},
		{503, ``, "", answered, "503: an empty body"},
		{503, `{"error":"temporarily_unavailable"}`, "Retry-After: 120", after(2*time.Minute, answered), "503 temporarily_unavailable"},
		{503, ``, "Retry-After: soon", answered, "503: an empty body"},

		// Not the authorization server, or not well.
		{200, page, "Content-Type: text/html; charset=utf-8", answered, "200: a page of HTML"},
		{502, page, "Content-Type: text/html", answered, "502: a page of HTML"},
		{200, ``, "", answered, "200: an empty body"},
		{204, ``, "", answered, "204: an empty body"},
		{200, " \n", "", answered, "200: an empty body"},
		{200, `{`, "", answered, "200: neither JSON nor a form"},
		{200, `{"access_token":"at-cut-off-in-the-mi`, "", answered, "200: neither JSON nor a form"},
		{200, `["access_token","at-listed"]`, "", answered, "200: neither JSON nor a form"},
		{200, `"at-alone"`, "", answered, "200: neither JSON nor a form"},
		{200, `{"access_token":""}`, "", answered, "200: no access_token"},
		{200, `{"access_token":["at-listed"]}`, "", answered, "200: no access_token"},
		{200, `{"token":"at-misnamed"}`, "", answered, "200: no access_token"},
		{200, `at-bare`, "Content-Type: text/plain", answered, "200: neither JSON nor a form"},
		{200, `%zz`, "Content-Type: text/plain", answered, "200: neither JSON nor a form"},
		{200, `{"access_token":"A","x":"` + strings.Repeat("x", 1<<20) + `"}`, "", answered, "200: more than 1 MiB"},
		{301, ``, "Location: https://auth.example.com/elsewhere", answered, "301: a redirect to https://auth.example.com/elsewhere that a token request does not follow; set TokenURL to where the endpoint is"},
		{302, ``, "Location: /token/?client_secret=x#f", answered, "302: a redirect to https://auth.example.com/token/ that a token request does not follow; set TokenURL to where the endpoint is"},
		{303, ``, "Location: token/", answered, "303: a redirect to https://auth.example.com/token/ that says that the request was carried out (RFC 9110 section 15.4.4), and which a token request does not follow; set TokenURL to where the endpoint is"},
		{307, ``, "Location: https://u:p@login.example.com:443/x y", answered, "307: a redirect to https://login.example.com/x%20y that a token request does not follow; set TokenURL to where the endpoint is"},
		{308, ``, "Location: http://auth.example.com/token", answered, "308: a redirect to http://auth.example.com/token that a token request does not follow; set TokenURL to where the endpoint is"},
		{301, ``, "Location: /at/rt%2Ffirst+of+its+family==", answered, "301: a redirect that a token request does not follow; set TokenURL to where the endpoint is"},
		{301, ``, "Location: myapp:/at-1", answered, "301: a redirect that a token request does not follow; set TokenURL to where the endpoint is"},
	} {
		name, value, _ := strings.Cut(test.header, ": ")
		header := []string{name, value}
		if name == "" {
			header = nil
		}
		w := answering(test.status, test.body, header...)
		token, err := spend(t, w)
		if err == nil {
			t.Errorf("%d %s: got %s, want an error", test.status, test.body, token)
			continue
		}
		checkMarks(t, err, test.want)
		if got, want := err.Error(), "oauth: the token endpoint answered "+test.text; got != want {
			t.Errorf("%d %.200s\n got %s\nwant %s", test.status, test.body, got, want)
		}
		if e, ok := errors.AsType[*oauth.Error](err); !ok || e.Status != test.status {
			t.Errorf("%d %.200s: got %v, want an *Error with the status", test.status, test.body, e)
		}
		if len(w.sent) != 1 {
			t.Errorf("%d %.200s: sent %d times, want once", test.status, test.body, len(w.sent))
		}
		checkSecrets(t, err)
	}
}

// What a refusal means depends on what was sent: without a refresh token no
// login can help.
func TestRefusalWithoutRefreshToken(t *testing.T) {
	for body, want := range map[string]marking{
		`{"error":"invalid_grant"}`:       permanent,
		`{"error":"invalid_client"}`:      permanent,
		`{"error":"unauthorized_client"}`: permanent,
		`{"error":"consent_required"}`:    permanent, // there is no user who could
		`{"error":"invalid_request"}`:     answered,
		`{"error":"rate_limit_exceeded"}`: answered,
		`{"error":"use_dpop_nonce"}`:      declined,
		``:                                answered,
	} {
		w := answering(400, body)
		_, err := oauth.ClientCredentials(clientConfig(), w.options()).Refresh(t.Context(), "x", manager.Token{})
		checkMarks(t, err, want)
	}
}

// A server's text is passed on, but on one line, cut, and never with a secret in it.
func TestDescription(t *testing.T) {
	for _, test := range []struct{ description, want string }{
		{"spent yesterday", "spent yesterday"},
		{"line one\r\nline two\x00\x1b[31m", "line one line two [31m"},
		{"naïve “text”", "naïve “text”"},
		{strings.Repeat("word ", 100), strings.TrimSpace(strings.Repeat("word ", 51)) + " w"},
		{"no such token: " + refreshToken, ""},
		{"no such token: " + refreshToken[:15] + "...", ""},
		{"no such token: rt%2Ffirst%2Bof%2Bits%2Bfamily%3D%3D", ""},
		{"wrong secret " + clientSecret, ""},
		{"wrong secret " + clientSecret[:8] + "\n" + clientSecret[9:18], ""},
		{"bad header: Basic " + base64.StdEncoding.EncodeToString([]byte("crawler:"+url.QueryEscape(clientSecret))), ""},
		{"crawler may not", "crawler may not"},
		{strings.Repeat("x", 249) + refreshToken, ""}, // the cut would leave too little of it to be recognized
		{strings.Repeat("x", 255) + " " + clientSecret, ""},
		{strings.Repeat(" ", 4090) + refreshToken, ""},
		{strings.Repeat("é", 200), strings.Repeat("é", 128)},
		{"x" + strings.Repeat("é", 200), "x" + strings.Repeat("é", 127)},
	} {
		quoted, _ := json.Marshal(test.description)
		_, err := spend(t, answering(400, `{"error":"invalid_request","error_description":`+string(quoted)+`}`))
		e, ok := errors.AsType[*oauth.Error](err)
		if !ok || e.Description != test.want || e.Code != "invalid_request" {
			t.Errorf("%q: got %q, want %q", test.description, e.Description, test.want)
		}
		checkSecrets(t, err)
	}
}

func TestCodeIsASecret(t *testing.T) {
	_, err := oauth.RefreshToken(userConfig(), answering(400, `{"error":"rt-1-1-abcdefgh"}`).options()).Refresh(t.Context(),
		"x", manager.Token{RefreshToken: manager.NewSecret("rt-1-1-abcdefgh")})
	if err == nil || strings.Contains(err.Error(), "abcdefgh") {
		t.Errorf("got %v, want an error without the refresh token", err)
	}
}

// Programs moved from x/oauth2 look for its error.
func TestErrorAsRetrieveError(t *testing.T) {
	_, err := spend(t, answering(400, `{"error":"invalid_grant","error_description":"spent"}`))
	got, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok || got.ErrorCode != "invalid_grant" || got.ErrorDescription != "spent" || got.Response.StatusCode != 400 {
		t.Errorf("got %+v, want the code, the description and the status", got)
	}
	_, err = spend(t, answering(503, page))
	got, ok = errors.AsType[*oauth2.RetrieveError](err)
	if want := "oauth2: cannot fetch token: 503 Service Unavailable\nResponse: "; !ok || got.Error() != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if other, ok := errors.AsType[*json.SyntaxError](err); ok {
		t.Errorf("got %v, want no error of that type", other)
	}
}

// A Retry-After date is the server's: its own Date says what it means.
func TestRetryAfterDate(t *testing.T) {
	at := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		until, date string
		want        marking
	}{
		{at.Add(90 * time.Second).Format(http.TimeFormat), at.Format(http.TimeFormat), after(90*time.Second, declined)},
		{at.Format(http.TimeFormat), at.Add(time.Hour).Format(http.TimeFormat), declined},
		{at.Add(-time.Hour).Format(http.TimeFormat), "", declined}, // long past by any clock
	} {
		header := []string{"Retry-After", test.until}
		if test.date != "" {
			header = append(header, "Date", test.date)
		}
		_, err := spend(t, answering(429, "", header...))
		checkMarks(t, err, test.want)
	}
}

// Scenario 28 for what this package makes.
func TestScenario28Secrets(t *testing.T) {
	_, refused := spend(t, answering(400, `{"error":"invalid_grant","error_description":"`+refreshToken+`"}`))
	_, broken := spend(t, failing(fmt.Errorf("malformed HTTP response \"{at-secret}\"")))
	checkSecrets(t, refused, broken,
		oauth.ClientCredentials(clientConfig()),
		oauth.RefreshToken(userConfig()),
		struct{ refresher manager.Refresher }{oauth.ClientCredentials(clientConfig())},
		oauth.TokenSource(context.Background(), nil))

	// Whoever holds a key or a secret: alone, by pointer, in Options, and after use.
	key, err := oauth.NewKey(signers()["ES256"], "k")
	if err != nil {
		t.Fatal(err)
	}
	dpop, own := oauth.NewDPoP(key), oauth.NewDPoP(oauth.Key{})
	req, err := http.NewRequest("GET", "https://api.example.com", nil)
	if err != nil {
		t.Fatal(err)
	}
	bound := manager.Token{AccessToken: manager.NewSecret("at-1"), Type: "DPoP", Extra: map[string]manager.Secret{
		"dpop_private_key": manager.NewSecret(base64.StdEncoding.EncodeToString(storedKey(t)))}}
	if err := own.Put(req, &bound); err != nil {
		t.Fatal(err)
	}
	cfg := userConfig()
	options := oauth.Options{Auth: oauth.PrivateKeyJWT(key, ""), DPoP: own, Revoke: true, RevokeURL: "https://auth.example.com/revoke"}
	claims := oauth.Claims{Issuer: "i"}
	checkSecrets(t, key, &key, dpop, *dpop, own, *own, options, &options, options.Auth, oauth.TLSClientAuth(), bound,
		oauth.NewIssuer("https://auth.example.com"), oauth.Metadata{}, claims, key.Assertion(claims), oauth.DeviceCode{},
		oauth.JWTBearer(cfg, key.Assertion(claims), options), oauth.RefreshToken(cfg, options),
		oauth.Password(cfg, "alice", manager.NewSecret("at-password")),
		oauth.TokenExchange(cfg, oauth.Exchange{}), oauth.Exchange{Subject: oauth.AccessTokenOf(nil)},
		oauth.FromTokenSource(oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "at-1"})))
}

// storedKey is the ES256 key of the tests as a token carries it.
func storedKey(t *testing.T) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(signers()["ES256"])
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// keyForms are the ways in which the private number of that key may be shown.
func keyForms() []string {
	raw, err := signers()["ES256"].(*ecdsa.PrivateKey).Bytes()
	if err != nil {
		panic(err)
	}
	number := new(big.Int).SetBytes(raw)
	return []string{number.String(), number.Text(16), strings.Trim(fmt.Sprint(raw), "[]"), base64.StdEncoding.EncodeToString(raw)[:40],
		strings.Trim(fmt.Sprint(number.Bits()), "[]")}
}

// checkSecrets prints values in every way there is, alone and in an unexported
// field, and looks for what no text may hold. All tokens of the tests begin with
// at- or are one of the constants.
func checkSecrets(t *testing.T, values ...any) {
	t.Helper()
	for _, v := range values {
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("", "v", v)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("", "v", v)
		texts := []string{log.String()}
		for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			texts = append(texts, fmt.Sprintf(format, v), fmt.Sprintf(format, struct{ v any }{v}))
		}
		if encoded, err := json.Marshal(v); err == nil {
			texts = append(texts, string(encoded))
		}
		for _, text := range texts {
			for _, secret := range append(keyForms(), clientSecret, refreshToken, "a+client+secret", "rt%2F", "at-",
				fmt.Sprintf("%x", clientSecret), fmt.Sprintf("%x", refreshToken)) {
				if strings.Contains(text, secret) {
					t.Errorf("%T shows %q: %s", v, secret, text)
				}
			}
		}
	}
}
