package oauth_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/oauth"
	"golang.org/x/oauth2"
)

// What an answer says about the refresh token that was sent, row by row of the table
// in the package comment. Where two rows could fit, the upper one counts.
func TestClass(t *testing.T) {
	for _, test := range []struct {
		row    string
		want   manager.Class
		status int
		body   string
		header []string
	}{
		// Not sent: refused unread, and certainly not spent.
		{"429", manager.ClassNotSent, 429, ``, nil},
		{"429 wins over a verdict", manager.ClassNotSent, 429, `{"error":"invalid_grant"}`, nil},
		{"429 as a page", manager.ClassNotSent, 429, page, []string{"Content-Type", asHTML}},
		{"a nonce", manager.ClassNotSent, 400, `{"error":"use_dpop_nonce"}`, nil},
		{"a nonce, at 503", manager.ClassNotSent, 503, `{"error":"use_dpop_nonce"}`, nil},
		{"a proof", manager.ClassNotSent, 401, `{"error":"invalid_dpop_proof"}`, nil},

		// Unknown: a gateway gave up, the server may be at work.
		{"408", manager.ClassUnknown, 408, ``, nil},
		{"408 with a code", manager.ClassUnknown, 408, `{"error":"invalid_request"}`, nil},
		{"504", manager.ClassUnknown, 504, page, []string{"Content-Type", asHTML}},
		{"504 wins over a verdict", manager.ClassUnknown, 504, `{"error":"invalid_grant"}`, nil},
		{"520", manager.ClassUnknown, 520, ``, nil},
		{"524", manager.ClassUnknown, 524, `error code: 524`, []string{"Content-Type", asText}},
		{"599", manager.ClassUnknown, 599, ``, nil},
		{"519 is no gateway's", manager.ClassAnswered, 519, ``, nil},

		// Final: the refresh token is over, in words that say so.
		{"invalid_grant, 400", manager.ClassFinal, 400, `{"error":"invalid_grant"}`, nil},
		{"invalid_grant, 401", manager.ClassFinal, 401, `{"error":"invalid_grant"}`, nil},
		{"invalid_grant, 403", manager.ClassFinal, 403, `{"error":"invalid_grant"}`, nil},
		{"invalid_grant, 404", manager.ClassFinal, 404, `{"error":"invalid_grant"}`, nil},
		{"invalid_grant, 422", manager.ClassFinal, 422, `{"error":"invalid_grant"}`, nil},
		{"invalid_grant, 200", manager.ClassFinal, 200, `{"error":"invalid_grant"}`, nil},
		{"invalid_grant, capitals", manager.ClassFinal, 400, `{"error":"INVALID_GRANT"}`, nil},
		{"invalid_grant, a form", manager.ClassFinal, 400, `error=invalid_grant`, []string{"Content-Type", asForm}},
		{"invalid_grant, a form called JSON", manager.ClassFinal, 400, `error=invalid_grant`, nil},
		{"invalid_grant, a description of limits", manager.ClassFinal, 400, `{"error":"invalid_grant","error_description":"too many requests"}`, nil},
		{"invalid_grant, nested", manager.ClassFinal, 400, `{"error":{"type":"invalid_grant"}}`, nil},
		{"invalid_grant, bytes behind it", manager.ClassFinal, 400, `{"error":"invalid_grant"}<!-- 0.02 s -->`, nil},
		{"Fitbit", manager.ClassFinal, 400, `{"success":false,"errors":[{"errorType":"invalid_grant","message":"…"}]}`, nil},
		{"Tesla", manager.ClassFinal, 401, `{"error":"login_required"}`, nil},
		{"Entra", manager.ClassFinal, 400, `{"error":"interaction_required"}`, nil},
		{"Asana", manager.ClassFinal, 400, `{"error":"consent_required"}`, nil},
		{"several accounts", manager.ClassFinal, 400, `{"error":"account_selection_required"}`, nil},
		{"Codex, reused", manager.ClassFinal, 401, `{"error":{"message":"…","type":"invalid_request_error","code":"refresh_token_reused"}}`, nil},
		{"Codex, expired", manager.ClassFinal, 401, `{"error":{"code":"refresh_token_expired"}}`, nil},
		{"Codex, invalidated", manager.ClassFinal, 401, `{"error":{"code":"refresh_token_invalidated"}}`, nil},
		{"GitHub", manager.ClassFinal, 200, `{"error":"bad_refresh_token"}`, nil},
		{"HubSpot", manager.ClassFinal, 400, `{"status":"BAD_REFRESH_TOKEN","message":"…"}`, nil},
		{"Yahoo", manager.ClassFinal, 401, `{"error":"INVALID_REFRESH_TOKEN"}`, nil},
		{"camel case", manager.ClassFinal, 400, `{"code":"RefreshTokenExpired"}`, nil},
		{"spaces", manager.ClassFinal, 400, `{"error":"Refresh token has been revoked."}`, nil},
		{"422", manager.ClassFinal, 422, `{"error":"invalid_refresh_token"}`, nil},

		// Configuration: the request is wrong, whoever's refresh token it has.
		{"invalid_client", manager.ClassConfiguration, 401, `{"error":"invalid_client"}`, nil},
		{"invalid_client, 500", manager.ClassConfiguration, 500, `{"error":"invalid_client"}`, nil},
		{"unsupported_grant_type", manager.ClassConfiguration, 400, `{"error":"unsupported_grant_type"}`, nil},
		{"invalid_scope", manager.ClassConfiguration, 400, `{"error":"invalid_scope"}`, nil},
		{"invalid_target", manager.ClassConfiguration, 400, `{"error":"invalid_target"}`, nil},

		// Answered: it does not say.
		{"500", manager.ClassAnswered, 500, ``, nil},
		{"500 with a code", manager.ClassAnswered, 500, `{"error":"oops"}`, nil},
		{"502", manager.ClassAnswered, 502, page, []string{"Content-Type", asHTML}},
		{"503", manager.ClassAnswered, 503, `{"error":"access_denied"}`, nil},
		{"301", manager.ClassAnswered, 301, ``, []string{"Location", "/elsewhere"}},
		{"302 with a code", manager.ClassAnswered, 302, `{"error":"login_required"}`, []string{"Location", "/login"}},
		{"303", manager.ClassAnswered, 303, ``, []string{"Location", "/elsewhere"}},
		{"304", manager.ClassAnswered, 304, ``, nil},
		{"307 elsewhere", manager.ClassAnswered, 307, ``, []string{"Location", "https://other.example.com/token"}},
		{"404", manager.ClassAnswered, 404, ``, nil},
		{"404 without a code", manager.ClassAnswered, 404, `{"message":"no route"}`, nil},
		{"405", manager.ClassAnswered, 405, ``, nil},
		{"413", manager.ClassAnswered, 413, ``, nil},
		{"415", manager.ClassAnswered, 415, ``, nil},
		{"a page", manager.ClassAnswered, 400, page, []string{"Content-Type", asHTML}},
		{"a page that is called JSON", manager.ClassAnswered, 403, page, nil},
		{"plain text", manager.ClassAnswered, 401, "no healthy upstream", []string{"Content-Type", asText}},
		{"plain text that is no form of ours", manager.ClassAnswered, 403, "upstream=auth&reason=reset", []string{"Content-Type", asText}},
		{"half an object", manager.ClassAnswered, 400, `{"error":"inva`, nil},
		{"a list", manager.ClassAnswered, 400, `["invalid_grant"]`, nil},
		{"200 with neither", manager.ClassAnswered, 200, `{}`, nil},
		{"200 with nothing", manager.ClassAnswered, 200, ``, nil},
		{"204", manager.ClassAnswered, 204, ``, nil},
		{"200 with a page", manager.ClassAnswered, 200, page, []string{"Content-Type", asHTML}},
		{"200 that calls itself good", manager.ClassAnswered, 200, `{"code":0,"message":"ok","data":{"access_token":"at-1"}}`, nil},
		{"Slack", manager.ClassAnswered, 200, `{"ok":false,"error":"internal_error"}`, nil},
		{"Slack, fatal", manager.ClassAnswered, 200, `{"ok":false,"error":"fatal_error"}`, nil},
		{"Slack, unavailable", manager.ClassAnswered, 200, `{"ok":false,"error":"service_unavailable"}`, nil},
		{"Slack, limits", manager.ClassAnswered, 200, `{"ok":false,"error":"ratelimited"}`, nil},
		{"Zoho", manager.ClassAnswered, 400, `{"error":"Access Denied","error_description":"You have made too many requests continuously. Please try again after some time.","status":"failure"}`, nil},
		{"Google", manager.ClassAnswered, 403, `{"error":"rate_limit_exceeded"}`, nil},
		{"Salesforce", manager.ClassAnswered, 400, `{"error":"unknown_error","error_description":"retry your request"}`, nil},
		{"Facebook", manager.ClassAnswered, 400, `{"error":{"message":"…","type":"OAuthException","is_transient":true,"code":2}}`, nil},
		{"Okta", manager.ClassAnswered, 400, `{"errorCode":"E0000047","errorSummary":"API call exceeded rate limit due to too many requests."}`, nil},
		{"RFC 6749", manager.ClassAnswered, 400, `{"error":"temporarily_unavailable"}`, nil},
		{"RFC 6749, server_error", manager.ClassAnswered, 400, `{"error":"server_error"}`, nil},
		{"RFC 8628", manager.ClassAnswered, 400, `{"error":"slow_down"}`, nil},
		{"camel case", manager.ClassAnswered, 403, `{"code":"TooManyRequests"}`, nil},
		{"a form of the word", manager.ClassAnswered, 400, `{"code":"ThrottlingException"}`, nil},
		{"maintenance", manager.ClassAnswered, 200, `{"error":"maintenance"}`, nil},
		{"a time-out", manager.ClassAnswered, 400, `{"error":"upstream timeout"}`, nil},
		{"a phrase", manager.ClassAnswered, 401, `{"error":"Unauthorized"}`, nil},
		{"a phrase, case apart", manager.ClassAnswered, 403, `{"error":"forbidden"}`, nil},
		{"a phrase at 404", manager.ClassAnswered, 404, `{"status":404,"error":"Not Found"}`, nil},
		{"a phrase and its number", manager.ClassAnswered, 400, `{"error":"400 Bad Request"}`, nil},
		{"Reddit", manager.ClassAnswered, 200, `{"error":400}`, nil},
		{"a number as a string", manager.ClassAnswered, 400, `{"code":"503"}`, nil},
		{"a number in status", manager.ClassAnswered, 400, `{"status":400,"message":"Invalid refresh token"}`, nil},

		// Suspected: every other refusal.
		{"unauthorized_client", manager.ClassSuspected, 403, `{"error":"unauthorized_client","error_description":"refresh_token is invalid"}`, nil},
		{"access_denied", manager.ClassSuspected, 403, `{"error":"access_denied"}`, nil},
		{"invalid_request", manager.ClassSuspected, 400, `{"error":"invalid_request"}`, nil},
		{"an empty 400", manager.ClassSuspected, 400, ``, nil},
		{"an empty 401", manager.ClassSuspected, 401, ``, nil},
		{"an empty 403", manager.ClassSuspected, 403, ``, nil},
		{"409", manager.ClassSuspected, 409, ``, nil},
		{"an object without a code", manager.ClassSuspected, 400, `{"message":"Bad request"}`, nil},
		{"a form without a code", manager.ClassSuspected, 400, `message=no`, []string{"Content-Type", asForm}},
		{"Anthropic", manager.ClassSuspected, 404, `{"type":"error","error":{"type":"not_found_error","message":"Not Found"}}`, nil},
		{"404 with a code", manager.ClassSuspected, 404, `{"error":"not_found"}`, nil},
		{"WeChat", manager.ClassSuspected, 200, `{"errcode":42002,"errmsg":"refresh_token expired"}`, []string{"Content-Type", asText}},
		{"Withings", manager.ClassSuspected, 200, `{"status":503,"body":{},"error":"Invalid Params: invalid refresh_token"}`, nil},
		{"Zoho's refusal", manager.ClassSuspected, 200, `{"error":"invalid_code"}`, nil},
		{"an assertion's end", manager.ClassSuspected, 400, `{"error":"expired_token"}`, nil},
		{"a revoked key", manager.ClassSuspected, 401, `{"error":"token_revoked"}`, nil},
		{"a gateway's key", manager.ClassSuspected, 401, `{"error":"invalid_token"}`, nil},
		{"more than the refresh token", manager.ClassSuspected, 400, `{"error":"no_invalid_refresh_token"}`, nil},
		{"the opposite", manager.ClassSuspected, 400, `{"error":"refresh_token_not_expired"}`, nil},
		{"no whole word", manager.ClassSuspected, 400, `{"error":"account_migrated"}`, nil},
		{"a word of trouble in a description", manager.ClassSuspected, 400, `{"error":"invalid_request","error_description":"internal user"}`, nil},
		{"Strava", manager.ClassSuspected, 401, `{"message":"Authorization Error","errors":[{"resource":"Application","field":"refresh_token","code":"invalid"}]}`, nil},
		{"invalid_grant, 500", manager.ClassSuspected, 500, `{"error":"invalid_grant"}`, nil},
		{"invalid_grant, 503", manager.ClassSuspected, 503, `{"error":"invalid_grant"}`, nil},
		{"error decides", manager.ClassSuspected, 400, `{"error":"access_denied","code":"server_error","status":"invalid_grant"}`, nil},
		{"a code before a number", manager.ClassSuspected, 400, `{"error":400,"code":"locked_out"}`, nil},
		{"a list of strings", manager.ClassSuspected, 400, `{"errors":["no_session"]}`, nil},
	} {
		_, err := spend(t, answering(test.status, test.body, test.header...))
		if got := manager.ClassOf(err); err == nil || got != test.want {
			t.Errorf("%s: got %s (%v), want %s", test.row, got, err, test.want)
		}
		checkSecrets(t, err)

		// Retry-After is passed on, except beside what no waiting mends.
		_, err = spend(t, answering(test.status, test.body, append([]string{"Retry-After", "7"}, test.header...)...))
		waits := test.want != manager.ClassFinal && test.want != manager.ClassConfiguration
		if got := strings.Contains(chain(err), "after 7000000000"); got != waits {
			t.Errorf("%s: Retry-After is passed on: %v, want %v", test.row, got, waits)
		}
	}
}

// Where no refresh token was sent no login helps, and nothing was spent.
func TestClassWithoutRefreshToken(t *testing.T) {
	for _, test := range []struct {
		status int
		body   string
		want   manager.Class
	}{
		{400, `{"error":"invalid_grant"}`, manager.ClassConfiguration},
		{400, `{"error":"consent_required"}`, manager.ClassConfiguration}, // as Asana says to client credentials
		{401, `{"error":"invalid_client"}`, manager.ClassConfiguration},
		{400, `{"error":"unauthorized_client"}`, manager.ClassConfiguration},
		{400, `{"error":"invalid_scope"}`, manager.ClassConfiguration},
		{503, `{"error":"unauthorized_client"}`, manager.ClassAnswered},
		{500, `{"error":"invalid_grant"}`, manager.ClassAnswered},
		{400, `{"error":"invalid_request"}`, manager.ClassAnswered},
		{403, ``, manager.ClassAnswered},
		{502, page, manager.ClassAnswered},
		{504, ``, manager.ClassUnknown},
		{429, ``, manager.ClassNotSent},
	} {
		w := answering(test.status, test.body)
		for name, r := range map[string]manager.Refresher{
			"client credentials": oauth.ClientCredentials(clientConfig(), w.options()),
			"password":           oauth.Password(userConfig(), "alice", manager.NewSecret("at-password"), w.options()),
		} {
			_, err := r.Refresh(t.Context(), "x", manager.Token{})
			if got := manager.ClassOf(err); got != test.want {
				t.Errorf("%s, %d %s: got %s, want %s", name, test.status, test.body, got, test.want)
			}
		}
	}
}

// What may be shown does not decide what is done: a parameter with a word of the code
// in it hides no code that the RFCs have, and changes no class.
func TestHiddenCode(t *testing.T) {
	for _, test := range []struct {
		params url.Values
		status int
		code   string
		shown  string
		want   manager.Class
	}{
		{url.Values{"type": {"refresh"}}, 200, "bad_refresh_token", "bad_refresh_token", manager.ClassFinal},
		{url.Values{"prompt": {"login"}}, 401, "login_required", "login_required", manager.ClassFinal},
		{url.Values{"mode": {"grant"}}, 400, "invalid_grant", "invalid_grant", manager.ClassFinal},
		{url.Values{"mode": {"GRANT"}}, 400, "INVALID_GRANT", "invalid_grant", manager.ClassFinal},
		{url.Values{"request": {"token"}}, 401, "invalid_token", "invalid_token", manager.ClassSuspected},
		{url.Values{"level": {"client"}}, 401, "invalid_client", "invalid_client", manager.ClassConfiguration},
		{url.Values{"plan": {"rate"}}, 400, "rate_limit_exceeded", "", manager.ClassAnswered},
		{url.Values{"plan": {"internal"}}, 200, "internal_error", "", manager.ClassAnswered},
	} {
		w := answering(test.status, `{"error":"`+test.code+`"}`)
		options := w.options()
		options.Params = test.params
		_, err := oauth.RefreshToken(userConfig(), options).Refresh(t.Context(), "x", manager.Token{RefreshToken: manager.NewSecret(refreshToken)})
		e, ok := errors.AsType[*oauth.Error](err)
		if !ok || e.Code != test.shown || manager.ClassOf(err) != test.want {
			t.Errorf("%v %s: got %v of class %s, want the code %q of class %s", test.params, test.code, err, manager.ClassOf(err), test.shown, test.want)
		}
	}
}

// The same where logins branch on a code: a device login with a parameter that has a
// word of each code in it.
func TestHiddenCodeOfALogin(t *testing.T) {
	for code, want := range map[string]error{"access_denied": oauth.ErrDenied, "expired_token": oauth.ErrExpired} {
		inBubble(t, code, func(t *testing.T) {
			answers := []*http.Response{
				response(200, `{"device_code":"at-device","user_code":"AB-CD","verification_uri":"https://auth.example.com/go","expires_in":600}`),
				response(400, `{"error":"authorization_pending"}`),
				response(400, `{"error":"slow_down"}`),
				response(400, `{"error":"`+code+`"}`),
			}
			w := &wire{}
			w.answer = func(*http.Request) (*http.Response, error) { return answers[len(w.sent)-1], nil }
			options := w.options()
			options.Params = url.Values{"a": {"pending"}, "b": {"slow"}, "c": {"access"}, "d": {"expired"}}
			cfg := userConfig()
			cfg.Endpoint.DeviceAuthURL = "https://auth.example.com/device"
			start := time.Now()
			_, err := oauth.DeviceLogin(t.Context(), cfg, silent, options)
			if took := time.Since(start); !errors.Is(err, want) || took != 20*time.Second {
				t.Errorf("got %v after %v, want %v after 5 s, 5 s and 10 s", err, took, want)
			}
			if got := manager.ClassOf(err); got != manager.ClassUnknown {
				t.Errorf("the error of a login is marked %s", got)
			}
		})
	}
}

// And where a request is sent a second time, or a revocation is complete.
func TestHiddenCodeOfASecondRequest(t *testing.T) {
	w := &wire{}
	w.answer = func(*http.Request) (*http.Response, error) {
		if len(w.sent) == 1 {
			return response(400, `{"error":"use_dpop_nonce"}`, "DPoP-Nonce", "n-1"), nil
		}
		return response(200, good), nil
	}
	options := w.options()
	options.DPoP, options.Params = oauth.NewDPoP(oauth.Key{}), url.Values{"a": {"nonce"}}
	_, err := oauth.RefreshToken(userConfig(), options).Refresh(t.Context(), "x", manager.Token{RefreshToken: manager.NewSecret(refreshToken)})
	if err != nil || len(w.sent) != 2 {
		t.Errorf("got %v after %d requests, want a token after two", err, len(w.sent))
	}

	w = &wire{}
	w.answer = func(*http.Request) (*http.Response, error) {
		if len(w.sent) == 1 {
			return response(200, ""), nil
		}
		return response(400, `{"error":"unsupported_token_type"}`), nil
	}
	options = w.options()
	options.Revoke, options.RevokeURL = true, "https://auth.example.com/revoke"
	err = oauth.RefreshToken(userConfig(), options).(manager.Revoker).Revoke(t.Context(), "x",
		manager.Token{AccessToken: manager.NewSecret("unsupported"), RefreshToken: manager.NewSecret(refreshToken)})
	if err != nil {
		t.Errorf("got %v, want a complete revocation", err)
	}
}

// What is shown for a code: not what may be a secret, nor the status once more.
func TestShownCode(t *testing.T) {
	for _, test := range []struct {
		status     int
		body, want string
	}{
		{200, `{"code":"at-code-that-buys-a-token"}`, "oauth: the token endpoint answered 200: an error whose code cannot be shown"},
		{200, `{"code":40001}`, "oauth: the token endpoint answered 200 40001"},
		{200, `{"code":"invalid_request"}`, "oauth: the token endpoint answered 200 invalid_request"},
		{400, `{"status":400,"message":"no"}`, "oauth: the token endpoint answered 400: no error code"},
		{400, `{"code":"locked_out"}`, "oauth: the token endpoint answered 400 locked_out"},
		{200, `{"error":{"code":"locked_out"}}`, "oauth: the token endpoint answered 200 locked_out"},
	} {
		_, err := spend(t, answering(test.status, test.body))
		if text(err) != test.want {
			t.Errorf("%d %s\n got %v\nwant %s", test.status, test.body, err, test.want)
		}
		checkSecrets(t, err)
	}
}

// Programs that come from x/oauth2 find the code as the RFCs write it.
func TestKnownCodeIsWrittenAsTheRFCsWriteIt(t *testing.T) {
	_, err := spend(t, answering(400, `{"error":"INVALID_GRANT"}`))
	e, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok || e.ErrorCode != "invalid_grant" {
		t.Errorf("got %v, want invalid_grant", err)
	}
}

// A throttled program was not denied a login by its user.
func TestDenied(t *testing.T) {
	for body, want := range map[string]bool{
		`{"error":"access_denied"}`: true,
		`{"error":"Access Denied"}`: true,
		`{"error":"Access Denied","error_description":"You have made too many requests."}`: false,
	} {
		_, err := spend(t, answering(400, body))
		if got := errors.Is(err, oauth.ErrDenied); got != want {
			t.Errorf("%s: matches ErrDenied: %v, want %v", body, got, want)
		}
	}
}
