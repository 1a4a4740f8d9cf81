package oauth

import (
	"bytes"
	"encoding/json"
	"math"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"example.com/tokenactor/manager"
	"golang.org/x/oauth2"
)

// token reads the answer to a token request. The Error, if there is one, is still
// without marks.
func (r *reply) token(where string) (manager.Token, *Error) {
	a, refusal := r.fields(where, "access_token")
	if refusal != nil {
		return manager.Token{}, refusal
	}
	return a.token(r.serverTime(), r.spent), nil
}

// fields reads an answer of any endpoint, which is one if it has the field needed.
func (r *reply) fields(where, needed string) (answer, *Error) {
	if success(r.status) {
		if a := r.find(needed); a != nil {
			return a, nil
		}
	}
	return nil, r.refusal(where, needed)
}

// find looks for the field needed in whatever came, however it is labelled: it may be
// the only copy of a refresh token. An object is whole where its last brace is there,
// even if the connection ended after it; a form does not show whether it is.
func (r *reply) find(needed string) answer {
	body := text(r.body)
	whole := r.broken == nil && len(r.body) <= maxAnswer
	object := bytes.HasPrefix(body, []byte("{"))
	if object || whole {
		if a, _, ok := read(r.media(), body); ok && a.word(needed) != "" {
			return a
		}
	}
	if len(r.body) > maxAnswer {
		return nil // whether there is another one was not seen
	}
	return search(body, needed)
}

// refusal is what an answer says that has not the field needed.
func (r *reply) refusal(where, needed string) *Error {
	over := len(r.body) > maxAnswer
	empty := len(text(r.body)) == 0
	a, form, ok := read(r.media(), r.body)
	e := &Error{Status: r.status, where: where}
	var f finding
	if ok && !over && r.broken == nil && !redirects(r.status) {
		f = a.finding(r.status)
	}
	known, of := knownCode(f.code)
	page := over || !ok && !empty || form && f.code == ""
	e.class = classify(r.status, page, r.broken != nil, f, known, of)
	switch {
	case over:
		e.detail = "more than 1 MiB"
	case r.status == http.StatusSeeOther:
		e.detail = r.led() + " that says that the request was carried out (RFC 9110 section 15.4.4), and which a token request does not follow; " +
			"set " + fieldOf[where] + " to where the endpoint is"
	case redirects(r.status):
		e.detail = r.led() + " that a token request does not follow; set " + fieldOf[where] + " to where the endpoint is"
	case r.broken != nil:
		e.detail = "a body that broke off"
	case empty:
		e.detail = "an empty body"
	case !ok && strings.Contains(r.media(), "html"):
		e.detail = "a page of HTML"
	case !ok:
		e.detail = "neither JSON nor a form"
	case f.code != "" && f.code != strconv.Itoa(r.status): // which Status has
		e.say(known, f, a.word("error_description"), r.hush)
		if e.Code == "invalid_client" {
			e.detail = otherStyle[r.style]
		}
	case !success(r.status):
		e.detail = "no error code"
	default:
		e.detail = "no " + needed
	}
	return e
}

// otherStyle says how a client secret was sent that was refused, and what else there is:
// servers may take one of the two alone, and few say so (RFC 6749 section 2.3.1).
var otherStyle = map[oauth2.AuthStyle]string{
	oauth2.AuthStyleInHeader: "the client's secret was sent as HTTP Basic; if the server wants it in the form, set AuthStyle to oauth2.AuthStyleInParams",
	oauth2.AuthStyleInParams: "the client's secret was sent in the form; if the server wants it as HTTP Basic, set AuthStyle to oauth2.AuthStyleInHeader",
}

// say takes over a code and its description, as far as they may be shown.
func (e *Error) say(known string, f finding, description string, h hush) {
	e.Code = known
	if known == "" && (f.shown || numeric(f.code)) {
		e.Code = h.code(f.code)
	}
	e.Description = h.clean(description)
	if e.Code == "" {
		e.detail = "an error whose code cannot be shown"
	}
}

// led is the redirect that an answer is, and where it leads.
func (r *reply) led() string {
	if to := r.hush.location(r.target, r.header); to != "" {
		return "a redirect to " + to
	}
	return "a redirect"
}

// media is what the answer is called.
func (r *reply) media() string {
	media, _, _ := mime.ParseMediaType(r.header.Get("Content-Type"))
	return media
}

// serverTime is when the answer was made, by the server's clock if it says, for
// dates that it names.
func (r *reply) serverTime() time.Time {
	if date, err := http.ParseTime(r.header.Get("Date")); err == nil {
		return date
	}
	return r.sent
}

func success(status int) bool { return status >= 200 && status < 300 }

// standard are the fields that have a place in a Token of their own.
var standard = map[string]bool{
	"access_token": true, "token_type": true, "refresh_token": true, "scope": true,
	"expires_in": true, "expires_in_sec": true, "refresh_in": true, "refresh_expires_in": true, "refresh_token_expires_in": true,
	"refresh_expires_at": true, "refresh_token_expires_at": true,
	"error": true, "error_description": true, "error_uri": true,
	keyField: true, // a key is ours, whatever a server says
}

// token makes a Token of the answer, which was made at the moment now of the
// server's clock. It cannot fail: what cannot be read counts as absent, for the
// refresh token that bought this answer may be spent. spent says that one was sent.
func (a answer) token(now time.Time, spent bool) manager.Token {
	t := manager.Token{
		AccessToken:  manager.NewSecret(a.word("access_token")),
		RefreshToken: manager.NewSecret(a.word("refresh_token")),
		Type:         tokenType(a.word("token_type")),
		Scope:        a.scope(),
	}
	t.ExpiresIn = a.life(now, spent && !t.RefreshToken.IsZero())
	if wait, ok := seconds(a.word("refresh_in")); ok {
		t.RefreshIn = max(wait, 0)
	}
	t.RefreshExpiresIn = a.left(now, "refresh_expires_at", "refresh_token_expires_at")
	for _, name := range []string{"refresh_expires_in", "refresh_token_expires_in"} {
		// 0 is what servers answer for a refresh token without an end.
		if life, ok := seconds(a.word(name)); ok && life > 0 {
			t.RefreshExpiresIn = life
		}
	}
	for name, f := range a {
		if !standard[name] && f.text != "" {
			if t.Extra == nil {
				t.Extra = make(map[string]manager.Secret)
			}
			t.Extra[name] = manager.NewSecret(f.text)
		}
	}
	return t
}

// tokenType is the type under which a token goes out that was answered with that
// token_type. A server that has words of its own there, such as bot or User Access
// Token, means a bearer token. One that names another scheme does not: its token is
// not sent, which the manager sees to, and the refresh token beside it is kept.
func tokenType(answered string) string {
	answered = strings.TrimSpace(answered)
	switch {
	case answered == "", strings.EqualFold(answered, "Bearer"), strings.EqualFold(answered, "DPoP"), manager.UnsendableType(answered):
		return answered
	}
	return "Bearer"
}

// life is how long the access token lives; 0: unknown. A server that says 0 or less means
// that the token has no end, since it does not issue an expired one at a login. rotated
// says that a refresh token was sent and a new one came: then the access token may be an
// old one that is over, -1 s.
func (a answer) life(now time.Time, rotated bool) time.Duration {
	if life, ok := seconds(a.word("expires_in_sec")); ok && life > 0 {
		return life // then expires_in is in milliseconds
	}
	life, ok := seconds(a.word("expires_in"))
	if ok && life > 0 {
		return life
	}
	if ok && rotated {
		return -time.Second
	}
	return a.left(now, "expires_at", "expires_on")
}

// left is what is left until the date in one of the fields; 0: there is none, or it
// is past. A date that is past is rather something else than an end: such fields have
// no standard.
func (a answer) left(now time.Time, names ...string) time.Duration {
	for _, name := range names {
		date, ok := parseDate(a.word(name))
		if left := date.Sub(now); ok && left > 0 {
			return min(left, longest)
		}
	}
	return 0
}

// latest is the greatest number that is a date in seconds, in the year 5138. A greater
// one is in milliseconds: as such it is in 1973 or later.
const latest = 1e11

// parseDate reads a date of RFC 3339, or in Unix seconds or milliseconds.
func parseDate(text string) (time.Time, bool) {
	if date, err := time.Parse(time.RFC3339, text); err == nil {
		return date, true
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if math.IsNaN(n) || err != nil && !math.IsInf(n, 0) {
		return time.Time{}, false
	}
	if n > latest {
		n /= 1000
	}
	whole, fraction := math.Modf(min(max(n, -latest), latest))
	return time.Unix(int64(whole), int64(fraction*1e9)), true
}

// scope is a string of words (RFC 6749 section 3.3), or the list of them that some
// servers send. Programs print it.
func (a answer) scope() string {
	text := a.word("scope")
	var words []string
	if f := a["scope"]; !f.plain && json.Unmarshal([]byte(f.text), &words) == nil {
		text = strings.Join(words, " ")
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
}

// longest is where lives are cut: a century, which still fits into times counted
// in nanoseconds.
const longest = 100 * 365 * 24 * time.Hour

// seconds reads a number of seconds; a fraction is kept.
func seconds(text string) (time.Duration, bool) {
	n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if math.IsNaN(n) || err != nil && !math.IsInf(n, 0) {
		return 0, false
	}
	n = min(max(n, -1), longest.Seconds())
	return time.Duration(n * float64(time.Second)), true
}
