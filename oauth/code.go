package oauth

import (
	"net/http"
	"slices"
	"strings"
	"unicode"

	"example.com/tokenactor/manager"
)

// codes are the error codes of RFC 6749, 6750, 7009, 8628, 8707, 9396, 9449, 9470 and
// of OpenID Connect Core section 3.1.2.6, with the class of those that decide one by
// themselves. A code of this list is no secret, whatever the request held, so that it
// is shown always and the rest of the package branches on Error.Code.
var codes = map[string]manager.Class{
	"use_dpop_nonce":     manager.ClassNotSent,
	"invalid_dpop_proof": manager.ClassNotSent,

	"invalid_grant":              manager.ClassFinal, // at 2xx and 4xx; see classify
	"login_required":             manager.ClassFinal,
	"interaction_required":       manager.ClassFinal,
	"consent_required":           manager.ClassFinal,
	"account_selection_required": manager.ClassFinal,

	"invalid_client":         manager.ClassConfiguration,
	"unsupported_grant_type": manager.ClassConfiguration,
	"invalid_scope":          manager.ClassConfiguration,
	"invalid_target":         manager.ClassConfiguration,

	"access_denied":                    "",
	"authorization_pending":            "",
	"expired_token":                    "",
	"insufficient_scope":               "",
	"insufficient_user_authentication": "",
	"invalid_authorization_details":    "",
	"invalid_request":                  "",
	"invalid_request_object":           "",
	"invalid_request_uri":              "",
	"invalid_token":                    "",
	"registration_not_supported":       "",
	"request_not_supported":            "",
	"request_uri_not_supported":        "",
	"server_error":                     "",
	"slow_down":                        "",
	"temporarily_unavailable":          "",
	"unauthorized_client":              "",
	"unsupported_response_type":        "",
	"unsupported_token_type":           "",
}

// knownCode returns the code that raw stands for, as the RFCs write it, and its class.
// INVALID_GRANT and invalidGrant are invalid_grant. Beside the codes of the RFCs it
// knows those that name the refresh token as no longer good. "": raw is neither.
func knownCode(raw string) (string, manager.Class) {
	w := words(raw)
	code := strings.Join(w, "_")
	if class, ok := codes[code]; ok {
		return code, class
	}
	if code := refreshTokenEnded(w); code != "" {
		return code, manager.ClassFinal
	}
	return "", ""
}

// refreshTokenEnded returns the code if its words say that the refresh token is no
// longer good, and nothing else: refresh_token_reused, BadRefreshToken. A code that
// names no refresh token, such as expired_token, may be about an assertion or about a
// gateway's key.
func refreshTokenEnded(w []string) string {
	w = slices.DeleteFunc(slices.Clone(w), func(word string) bool {
		switch word {
		case "the", "is", "was", "has", "been":
			return true
		}
		return false
	})
	if i := slices.Index(w, "refreshtoken"); i >= 0 {
		w = slices.Replace(w, i, i+1, "refresh", "token")
	}
	if len(w) != 3 {
		return ""
	}
	ended := w[0]
	if w[0] == "refresh" {
		ended = w[2]
	}
	switch ended {
	case "expired", "reused", "revoked", "invalidated", "bad", "invalid":
		code := strings.Join(w, "_")
		if code == "refresh_token_"+ended || code == ended+"_refresh_token" {
			return code
		}
	}
	return ""
}

// words splits a code into its words, in small letters: refresh_token_reused,
// refreshTokenReused and "Refresh token reused" are the same three.
func words(text string) []string {
	var list []string
	var word []rune
	end := func() {
		if len(word) > 0 {
			list = append(list, strings.ToLower(string(word)))
			word = word[:0]
		}
	}
	runes := []rune(text)
	for i, r := range runes {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			end()
			continue
		case unicode.IsUpper(r) && len(word) > 0:
			before := runes[i-1]
			next := i+1 < len(runes) && unicode.IsLower(runes[i+1])
			if unicode.IsLower(before) || unicode.IsUpper(before) && next { // rateLimit, HTTPError
				end()
			}
		}
		word = append(word, r)
	}
	end()
	return list
}

// troubles are the words by which a server says that it is in trouble, or asked too
// much, in the place of a code; limits are those that count in a description too.
var (
	limits = [][]string{{"rate", "limit"}, {"rate", "limits"}, {"rate", "limited"}, {"rate", "limiting"}, {"rate", "exceeded"},
		{"ratelimit"}, {"ratelimited"}, {"too", "many", "requests"}, {"too", "many", "attempts"}, {"too", "many", "calls"},
		{"too", "many", "times"}}
	troubles = append([][]string{{"rate"}, {"too", "many"}, {"slow", "down"}, {"timeout"}, {"time", "out"}, {"timed", "out"},
		{"unavailable"}, {"temporarily"}, {"overloaded"}, {"internal"}, {"maintenance"}, {"server", "error"}, {"unknown", "error"},
		{"fatal", "error"}}, limits...)
)

// says reports whether the words have one of the phrases in them, as whole words:
// "migrated" has no "rate". Any form of "throttle" is a phrase of both lists.
func says(w []string, phrases [][]string) bool {
	for i, word := range w {
		if strings.HasPrefix(word, "throttl") {
			return true
		}
		for _, phrase := range phrases {
			if i+len(phrase) <= len(w) && slices.Equal(w[i:i+len(phrase)], phrase) {
				return true
			}
		}
	}
	return false
}

// httpPhrases are the reason phrases of HTTP (RFC 9110 section 15), in small letters.
// Frameworks put them where an authorization server has its code.
var httpPhrases = func() map[string]bool {
	phrases := make(map[string]bool)
	for status := range 600 {
		if text := http.StatusText(status); text != "" {
			phrases[strings.ToLower(text)] = true
		}
	}
	return phrases
}()

// httpOnly reports whether a code is nothing but the status of HTTP once more: a
// reason phrase, a number of three digits, or both. It compares the letters, not the
// words: "not_found" is a code that some server chose, "Not Found" is a framework's.
func httpOnly(code string) bool {
	number, phrase, both := strings.Cut(strings.ToLower(code), " ")
	if len(number) == 3 && numeric(number) && (!both || httpPhrases[phrase]) {
		return true
	}
	return httpPhrases[strings.ToLower(code)]
}

// numeric reports whether a code is a number, as in {"errcode":42002}.
func numeric(code string) bool {
	return code != "" && strings.Trim(code, "-0123456789.") == ""
}

// A finding is what an answer says that is not a token.
type finding struct {
	code      string // as the server wrote it; "": none
	shown     bool   // code is in a place that has nothing but codes
	limited   bool   // a description speaks of limits
	transient bool   // is_transient
}

// finding looks for the code of an answer. The field error decides before the others.
// The word of status, and numbers, count only where there is no other: they repeat the
// status of HTTP as a rule.
func (a answer) finding(status int) finding {
	inner, first := a.object("error"), a.first("errors")
	f := finding{shown: true}
	for _, part := range []answer{a, inner, first} {
		f.limited = f.limited || part.limited()
		f.transient = f.transient || part["is_transient"].text == "true"
	}
	ambiguous := a.word("code")
	var number string
	for _, text := range []string{
		a.word("error"), inner.word("code"), inner.word("type"),
		ambiguous, a.word("errorCode"), a.word("error_code"), a.word("errcode"),
		first.word("code"), first.word("errorType"), first.word("error"), first.word("type"),
	} {
		switch text = strings.TrimSpace(text); {
		case saysSuccess(text):
		case numeric(text):
			if number == "" {
				number = text
			}
		default:
			f.code = text
			// Beside an error status it is a code. In an answer of 200 that is not
			// understood it may as well be one that buys a token.
			f.shown = text != strings.TrimSpace(ambiguous) || !success(status)
			return f
		}
	}
	last := ""
	for _, text := range []string{inner.word("status"), a.word("status")} {
		switch text = strings.TrimSpace(text); {
		case saysSuccess(text):
		case numeric(text):
			if number == "" {
				number = text
			}
		case saysFailure(text):
			last = text
		default:
			f.code = text
			return f
		}
	}
	f.code = number
	if number == "" {
		f.code = last
	}
	return f
}

// saysSuccess reports whether what stands in the place of a code is none: servers
// that name a code in each answer name 0 in a good one.
func saysSuccess(text string) bool {
	switch strings.ToLower(text) {
	case "", "0", "ok", "success", "none":
		return true
	}
	return false
}

// saysFailure reports whether a status says only that there was an error.
func saysFailure(text string) bool {
	switch strings.ToLower(text) {
	case "error", "fail", "failed", "failure":
		return true
	}
	return false
}

// limited reports whether a description speaks of limits.
func (a answer) limited() bool {
	for _, name := range []string{"error_description", "description", "message", "error_message", "errorMessage", "errorSummary",
		"error_msg", "errmsg", "msg", "detail", "reason"} {
		if text := a.word(name); text != "" && says(words(text), limits) {
			return true
		}
	}
	return false
}
