package oauth

import (
	"net/url"
	"strings"
	"unicode"
)

// A hush is the secrets of one token request, so that nothing a server or a
// transport says is passed on if it repeats one. Servers do: "refresh token abc
// not found".
type hush []string

// spoken are the parameters that are no secrets. Any other may be one: users add
// parameters of their own.
var spoken = map[string]bool{"grant_type": true, "client_id": true, "scope": true, "audience": true, "resource": true,
	"client_assertion_type": true, "subject_token_type": true, "actor_token_type": true, "requested_token_type": true,
	"redirect_uri": true, "token_type_hint": true}

func hushed(form url.Values, secret, authorization string) hush {
	h := hush{secret, strings.TrimPrefix(authorization, "Basic ")}
	for name, values := range form {
		if !spoken[name] {
			h = append(h, values...)
		}
	}
	return h
}

const (
	maxText = 256  // bytes of what a server says that an error keeps
	maxSeen = 4096 // bytes of it that are looked at
	maxCode = 64   // bytes of an error code
	quoted  = 12   // so long a piece of a secret counts as the secret
	short   = 4    // what is shorter is no secret, and would be found everywhere
)

// clean makes text fit for an error: one printable line of bounded length. It is
// "" if text repeats a secret or a good piece of one. It is cut after the comparison,
// which would not find a secret that the cut divides.
func (h hush) clean(text string) string {
	cut := len(text) > maxSeen
	if cut {
		text = text[:maxSeen]
	}
	line := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}, text)
	line = strings.Join(strings.Fields(line), " ")
	for _, secret := range h {
		escaped := url.QueryEscape(secret)
		if repeats(text, secret) || repeats(text, escaped) || repeats(line, secret) {
			return ""
		}
	}
	if cut { // what may be the begin of a piece was not seen whole
		line = line[:max(0, len(line)-quoted)]
	}
	return shorten(line)
}

// shorten cuts a line at maxText bytes, between two characters.
func shorten(line string) string {
	return strings.TrimSpace(strings.ToValidUTF8(line[:min(len(line), maxText)], ""))
}

func repeats(text, secret string) bool {
	if len(secret) < short {
		return false
	}
	n := min(len(secret), quoted)
	for i := 0; i+n <= len(secret); i++ {
		if strings.Contains(text, secret[i:i+n]) {
			return true
		}
	}
	return false
}

// code is text if it has the form of an error code (RFC 6749 section 5.2) and
// repeats no secret, else "".
func (h hush) code(text string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-.:/ ", r)
	}
	if len(text) > maxCode || strings.ContainsFunc(text, func(r rune) bool { return !plain(r) }) {
		return ""
	}
	return h.clean(text)
}
