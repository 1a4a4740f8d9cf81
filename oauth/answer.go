package oauth

import (
	"bytes"
	"encoding/json"
	"math"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"example.com/tokenactor/manager"
)

// A field is one member of an answer: a string as it is, another value as its
// JSON text.
type field struct {
	text  string
	plain bool // it is a string or a number
}

// An answer is the fields of a JSON object or of a form.
type answer map[string]field

// token reads the answer to a token request. The Error, if there is one, is still
// without marks.
func (r *reply) token(where string) (manager.Token, *Error) {
	a, refusal := r.fields(where, "access_token")
	if refusal != nil {
		return manager.Token{}, refusal
	}
	return a.token(r.serverTime()), nil
}

// fields reads an answer of any endpoint, which is one if it has the field needed.
func (r *reply) fields(where, needed string) (answer, *Error) {
	empty := len(bytes.TrimSpace(r.body)) == 0
	media, _, _ := mime.ParseMediaType(r.header.Get("Content-Type"))
	a, ok := parse(media, r.body)
	refusal := &Error{Status: r.status, where: where, page: r.cut || !ok && !empty || media == "text/plain" && a.word("error") == ""}
	switch {
	case len(r.body) > maxAnswer:
		refusal.detail = "more than 1 MiB"
	case success(r.status) && a.word(needed) != "":
		return a, nil
	case r.status >= 300 && r.status < 400:
		refusal.detail = "a redirect that a token request does not follow; set " + fieldOf[where] + " to where the endpoint is"
	case r.cut:
		refusal.detail = "a body that broke off"
	case empty:
		refusal.detail = "an empty body"
	case !ok && strings.Contains(media, "html"):
		refusal.detail = "a page of HTML"
	case !ok:
		refusal.detail = "neither JSON nor a form"
	case a.word("error") != "":
		refusal.Code = r.hush.code(a.word("error"))
		refusal.Description = r.hush.clean(a.word("error_description"))
		if refusal.Code == "" {
			refusal.detail = "an error whose code cannot be shown"
		}
	case !success(r.status):
		refusal.detail = "no error code"
	default:
		refusal.detail = "no " + needed
	}
	return nil, refusal
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

// parse reads a body. What looks like an object is JSON whatever its type is
// called: servers call it text/html, text/plain and worse.
func parse(media string, body []byte) (answer, bool) {
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\ufeff")))
	if bytes.HasPrefix(body, []byte("{")) {
		var members map[string]json.RawMessage
		if json.Unmarshal(body, &members) != nil {
			return nil, false
		}
		a := make(answer, len(members))
		for name, raw := range members {
			if f, ok := parseMember(raw); ok {
				a[name] = f
			}
		}
		return a, true
	}
	if media != "application/x-www-form-urlencoded" && media != "text/plain" {
		return nil, false
	}
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, false
	}
	a := make(answer, len(values))
	for name := range values {
		a[name] = field{values.Get(name), true}
	}
	return a, true
}

// parseMember gives no field for null: that is how some servers say "absent".
func parseMember(raw json.RawMessage) (field, bool) {
	switch raw[0] {
	case 'n':
		return field{}, false
	case '"':
		var s string
		err := json.Unmarshal(raw, &s)
		return field{s, true}, err == nil
	case '{', '[', 't', 'f':
		return field{string(raw), false}, true
	}
	return field{string(raw), true}, true
}

// word is the text of a string or a number, else "".
func (a answer) word(name string) string {
	if f := a[name]; f.plain {
		return f.text
	}
	return ""
}

// standard are the fields that have a place in a Token of their own.
var standard = map[string]bool{
	"access_token": true, "token_type": true, "refresh_token": true, "scope": true,
	"expires_in": true, "refresh_in": true, "refresh_expires_in": true, "refresh_token_expires_in": true,
	"refresh_expires_at": true, "refresh_token_expires_at": true,
	"error": true, "error_description": true, "error_uri": true,
	keyField: true, // a key is ours, whatever a server says
}

// token makes a Token of the answer, which was made at the moment now of the
// server's clock. It cannot fail: what cannot be read counts as absent, for the
// refresh token that bought this answer may be spent.
func (a answer) token(now time.Time) manager.Token {
	t := manager.Token{
		AccessToken:  manager.NewSecret(a.word("access_token")),
		RefreshToken: manager.NewSecret(a.word("refresh_token")),
		Type:         a.word("token_type"),
		Scope:        a.scope(),
	}
	if life, ok := seconds(a.word("expires_in")); ok {
		t.ExpiresIn = life
		if life <= 0 {
			t.ExpiresIn = -time.Second // 0 would say that the life is unknown
		}
	} else {
		t.ExpiresIn = a.left(now, "expires_at", "expires_on")
	}
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

// left is what is left until the date in one of the fields, in Unix seconds or as
// of RFC 3339; 0: there is none, or it is past. A date that is past is rather
// something else than an end: such fields have no standard.
func (a answer) left(now time.Time, names ...string) time.Duration {
	for _, name := range names {
		date, err := time.Parse(time.RFC3339, a.word(name))
		if n, ok := seconds(a.word(name)); err != nil && ok {
			date, err = time.Unix(0, 0).Add(n), nil
		}
		if left := date.Sub(now); err == nil && left > 0 {
			return min(left, longest)
		}
	}
	return 0
}

// scope is a string of words (RFC 6749 section 3.3), or the list of them that some
// servers send.
func (a answer) scope() string {
	var words []string
	if f := a["scope"]; !f.plain && json.Unmarshal([]byte(f.text), &words) == nil {
		return strings.Join(words, " ")
	}
	return a.word("scope")
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
