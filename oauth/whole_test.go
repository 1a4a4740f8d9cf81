package oauth_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/oauth"
)

const (
	whole     = `{"access_token":"A","refresh_token":"R","expires_in":3600,"scope":"s"}`
	wholeForm = "access_token=A&refresh_token=R&expires_in=3600&scope=s"
	wholeText = "A refresh=R life=1h0m0s scope=s"
)

// gzipped is body as a server that compresses without being asked sends it.
func gzipped(t *testing.T, body string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, body)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// An answer that is there and whole is never thrown away: it is the only copy of its
// refresh token. What merely has such an answer in it is none.
func TestWholeAnswer(t *testing.T) {
	const html = "text/html; charset=utf-8"
	notice := "<br />\n<b>Notice</b>:  Undefined index: x in <b>/srv/token.php</b> on line <b>7</b><br />\n"
	zipped := gzipped(t, whole)
	for _, test := range []struct {
		name, media, body string
		broken            bool // the connection ends after the body
		found             bool
	}{
		{"the connection ends after the last brace", "application/json", whole, true, true},
		{"the connection ends before it", "application/json", whole[:len(whole)-1], true, false},
		{"a comment behind it", "application/json", whole + "\n<!-- 0.02 s -->", false, true},
		{"another object behind it", "application/json", whole + `{"access_token":"B","expires_in":60}`, false, true},
		{"a megabyte behind it", "application/json", whole + strings.Repeat(" x", 1<<20), false, true},
		{"a notice of PHP before it", html, notice + whole, false, true},
		{"a notice before it and a comment behind", "", notice + whole + "<!-- x -->", false, true},
		{"a notice before it, and the connection ends", html, notice + whole, true, true},
		{"a guard against scripts before it", "application/json", ")]}',\n" + whole, false, true},
		{"a call of a function", "text/javascript", "callback( " + whole + " );", false, true},
		{"a warning as an object before it", "application/json", `{"warning":"x"}` + "\n" + whole, false, true},
		{"a mark of the byte order", "application/json", "\ufeff" + whole, false, true},

		{"a form", asForm, wholeForm, false, true},
		{"a form called HTML", html, wholeForm, false, true},
		{"a form called JSON", "application/json", wholeForm, false, true},
		{"a form called a stream of bytes", "application/octet-stream", wholeForm + "\r\n", false, true},
		{"a form without a name", "", wholeForm, false, true},
		{"a form whose connection ends", asForm, wholeForm, true, false},
		{"a page that is called a form", asForm, "<p>x&access_token=A&expires_in=60</p>", false, false},
		{"a page with an address in it", html, `<a href="https://example.com/?x=1&access_token=A&expires_in=60">x</a>`, false, false},
		{"an address", asText, "https://example.com/?x=1&access_token=A&expires_in=60", false, false},
		{"a text with a pair in it", asText, "see access_token=A&expires_in=60", false, false},
		{"lines of pairs", asText, "x=1\n&access_token=A&expires_in=60", false, false},

		{"gzip", "application/json", zipped, false, true},
		{"gzip without its checksum", "application/json", zipped[:len(zipped)-8], false, true},
		{"gzip that breaks off", "application/json", zipped[:len(zipped)/2], false, false},
		{"gzip of a form", html, gzipped(t, wholeForm), false, true},
		{"gzip of too much", "application/json", gzipped(t, strings.Repeat(" ", 2<<20)+whole), false, false},
		{"what begins like gzip", "application/json", "\x1f\x8b\x08" + whole, false, true},

		{"two in a text", html, notice + whole + "\n" + whole, false, false},
		{"one of nothing but an access token", html, notice + `{"access_token":"A"}`, false, false},
		{"one of a type", html, notice + `{"access_token":"A","token_type":"Bearer","refresh_token":"R","expires_in":3600,"scope":"s"}`, false, true},
		{"part of an object", "application/json", `{"data":` + whole + `}`, false, false},
		{"part of an object in a text", html, notice + `{"data":` + whole + `}`, false, false},
		{"part of an object that breaks off", html, notice + `{"data":` + whole + `,`, true, false},
		{"part of a list", "application/json", `[` + whole + `]`, false, false},
		{"part of a script", html, `<script>var state = {token: ` + whole + `};</script>`, false, false},
		{"part of a string", "application/json", `"{\"access_token\":\"A\",\"expires_in\":60}"`, false, false},
		{"a text that is too long to be sure", html, notice + whole + strings.Repeat(" x", 1<<20), false, false},
		{"a text that costs much", "application/json", strings.Repeat(`{"}":[`, 1<<16) + `"access_token"`, false, false},
		{"a text that costs much, and is no JSON", "application/json", strings.Repeat(`{"}":[`, 1<<16) + `"access_token" x`, false, false},
	} {
		w := &wire{answer: func(*http.Request) (*http.Response, error) {
			resp := response(200, "", "Content-Type", test.media)
			resp.Body = io.NopCloser(strings.NewReader(test.body))
			if test.broken {
				resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(test.body), broken{}))
			}
			return resp, nil
		}}
		got, err := spend(t, w)
		switch {
		case test.found && err != nil:
			t.Errorf("%s: %v", test.name, err)
		case test.found:
			got.Type = ""
			if got := describe(got); got != wholeText {
				t.Errorf("%s: got %s, want %s", test.name, got, wholeText)
			}
		case err == nil:
			t.Errorf("%s: got %s, want an error", test.name, describe(got))
		case test.broken && (manager.ClassOf(err) != manager.ClassUnknown || !errors.Is(err, io.ErrUnexpectedEOF)):
			t.Errorf("%s: got %v of class %s, want the cause, and unknown", test.name, err, manager.ClassOf(err))
		}
	}
}

// A refusal is no token because it has one in it, and what came with it is not shown.
func TestWholeAnswerOfARefusal(t *testing.T) {
	for _, test := range []struct {
		status int
		body   string
		want   manager.Class
	}{
		{400, whole, manager.ClassSuspected},
		{400, wholeForm, manager.ClassAnswered},
		{500, whole, manager.ClassAnswered},
		{400, gzipped(t, `{"error":"invalid_grant"}`), manager.ClassFinal},
	} {
		_, err := spend(t, answering(test.status, test.body))
		if got := manager.ClassOf(err); got != test.want {
			t.Errorf("%d %q: got %s, want %s", test.status, test.body, got, test.want)
		}
		checkSecrets(t, err)
	}
}

// The same at the other endpoints: a device code counts however it is wrapped, and a
// revocation that was answered with 200 is done, whatever became of the body.
func TestWholeAnswerElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &wire{}
		w.answer = func(*http.Request) (*http.Response, error) {
			if len(w.sent) == 1 {
				return response(200, `{"device_code":"at-1","user_code":"AB-CD","verification_uri":"https://auth.example.com/go","expires_in":600} // x`), nil
			}
			return response(200, wholeForm), nil
		}
		cfg := userConfig()
		cfg.Endpoint.DeviceAuthURL = "https://auth.example.com/device"
		token, err := oauth.DeviceLogin(context.Background(), cfg, silent, w.options())
		if err != nil || describe(token) != wholeText {
			t.Errorf("got %v, %v, want %s", describe(token), err, wholeText)
		}
	})
	w := &wire{answer: func(*http.Request) (*http.Response, error) {
		resp := response(200, "")
		resp.Body = io.NopCloser(broken{})
		return resp, nil
	}}
	options := w.options()
	options.Revoke, options.RevokeURL = true, "https://auth.example.com/revoke"
	err := oauth.RefreshToken(userConfig(), options).(manager.Revoker).Revoke(t.Context(), "x", manager.Token{RefreshToken: manager.NewSecret(refreshToken)})
	if err != nil {
		t.Errorf("revocation: got %v, want none", err)
	}
}
