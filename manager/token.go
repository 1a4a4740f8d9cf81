package manager

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode"
	"unsafe"
)

// hidden is what every way of printing a Secret shows.
const hidden = "[secret]"

// A Secret is a string that no log line shows. Only Reveal gives it out.
//
// It hides behind a pointer because fmt prints a string held in an unexported
// field whatever methods its type has; of a nested pointer it prints the address.
// The zero Secret is the absent one. Secrets are immutable and may be shared.
type Secret struct{ p *string }

// NewSecret hides s. The empty string gives the zero Secret.
func NewSecret(s string) Secret {
	if s == "" {
		return Secret{}
	}
	kept := s // not &s, which would allocate for the empty one too
	return Secret{&kept}
}

// Reveal gives the string itself: for the wire and for storage, never for a log.
func (s Secret) Reveal() string {
	if s.p == nil {
		return ""
	}
	return *s.p
}

// IsZero reports whether there is no secret.
func (s Secret) IsZero() bool { return s.p == nil }

// Equal compares the hidden strings, in constant time for those of equal length.
func (s Secret) Equal(other Secret) bool {
	if s.p == other.p {
		return true
	}
	return s.p != nil && other.p != nil && subtle.ConstantTimeCompare([]byte(*s.p), []byte(*other.p)) == 1
}

// String gives a placeholder, or "" for the zero Secret.
func (s Secret) String() string {
	if s.p == nil {
		return ""
	}
	return hidden
}

// GoString gives the placeholder too.
func (s Secret) GoString() string { return fmt.Sprintf("manager.Secret(%q)", s.String()) }

// Format prints the placeholder for every verb.
func (s Secret) Format(f fmt.State, verb rune) {
	if verb == 'v' && f.Flag('#') {
		_, _ = f.Write([]byte(s.GoString()))
		return
	}
	_, _ = f.Write([]byte(s.String()))
}

// MarshalText gives the placeholder, so that JSON, XML and logs show no secret.
// To store tokens use persist/record.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText takes a secret from a configuration file. It refuses the
// placeholder that MarshalText writes: a token read back from a log is lost.
func (s *Secret) UnmarshalText(text []byte) error {
	if string(text) == hidden {
		return errors.New(`manager: "` + hidden + `" stands for a Secret that was hidden when it was written; to store tokens use persist/record`)
	}
	*s = NewSecret(string(text))
	return nil
}

// LogValue shows the placeholder to log/slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// A Token is what an authorization server, or any other login, gives out.
//
// A Refresher fills in the exported fields and returns it. A *Token that came
// from a Credential is shared by all its callers and immutable: copy it before
// you change it.
type Token struct {
	// AccessToken goes with every request (RFC 6749 section 1.4). Required.
	AccessToken Secret

	// RefreshToken buys the next access token (RFC 6749 section 1.5). Zero
	// where the login needs none. A refresh that returns a Token without one
	// keeps the one before (RFC 6749 section 6).
	RefreshToken Secret

	// Type is the token_type of RFC 6749 section 7.1; "" stands for "Bearer".
	Type string

	// Expiry is when the server stops accepting AccessToken, by this
	// machine's wall clock. Zero: see ExpiresIn.
	Expiry time.Time

	// ExpiresIn is the life of AccessToken, counted from the moment its
	// refresh was sent. A Refresher sets this one if it can: the manager then
	// fills in Expiry, and no clock but the manager's takes part. Both zero:
	// the life is unknown. Negative: the token came expired, which is an error.
	ExpiresIn time.Duration

	// RefreshIn is when the server wants the next refresh (refresh_in), counted
	// like ExpiresIn. Zero: the Policy decides.
	RefreshIn time.Duration

	// RefreshExpiry is when RefreshToken stops working. Zero: see
	// RefreshExpiresIn.
	RefreshExpiry time.Time

	// RefreshExpiresIn is the life of RefreshToken, counted like ExpiresIn. A
	// Refresher sets this one if it can: the manager fills in RefreshExpiry, and
	// what it gives out and stores has that alone. Both zero: unknown.
	RefreshExpiresIn time.Duration

	// Scope is the granted scope, space separated (RFC 6749 section 3.3).
	Scope string

	// Extra holds what else the answer said: a user id, an instance URL. The
	// values are hidden like the tokens, for an id_token may be among them.
	Extra map[string]Secret

	asked      uint64 // a hash of whom and what it was asked for, see Asker; 0: it does not say
	login      uint64 // set by the manager before it publishes the token
	generation uint64 // likewise

	// "Bearer …", made once. A pointer to a string, since fmt follows one to an
	// array, a slice or a struct: %s of a field that it cannot ask for its methods
	// shows what that points to.
	header *string
}

// Generation counts the tokens that the manager installed for this credential,
// over restarts. It is 0 for a Token that the manager never saw.
func (t *Token) Generation() uint64 { return t.generation }

// Login counts the logins and logouts of this credential. Of two tokens the
// one with the greater (Login, Generation) is the newer.
func (t *Token) Login() uint64 { return t.login }

// Authorization gives the value of the Authorization header (RFC 6750 section
// 2.1): the type, a space, the access token. The slice is shared by all callers
// and has no spare capacity: put it into an http.Header, do not write to it.
func (t *Token) Authorization() []string {
	if both := t.prepared(); both != nil {
		return both[:1:1]
	}
	return []string{t.scheme() + " " + t.AccessToken.Reveal()} // of a copy that was changed, or of a new token
}

// scheme is the type as it goes into the header. Servers answer "bearer" and
// compare "Bearer": both are the same scheme (RFC 9110 section 11.1).
func (t *Token) scheme() string {
	switch t.Type {
	case "", "bearer", "BEARER":
		return "Bearer"
	}
	return t.Type
}

// String describes the token without its secrets.
func (t Token) String() string {
	if t.AccessToken.IsZero() {
		return "token(none)"
	}
	s := fmt.Sprintf("token(%s login=%d generation=%d", t.scheme(), t.login, t.generation)
	if !t.Expiry.IsZero() {
		s += " expiry=" + t.Expiry.UTC().Format(time.RFC3339)
	}
	if !t.RefreshToken.IsZero() {
		s += " refreshable"
	}
	return s + ")"
}

// GoString is String: %#v shows no secret either.
func (t Token) GoString() string { return t.String() }

// LogValue shows the description to log/slog.
func (t Token) LogValue() slog.Value { return slog.StringValue(t.String()) }

// same reports whether both carry one access token: identity as a resource
// server sees it, so a copy of a token is the token.
func (t *Token) same(other *Token) bool {
	return t != nil && other != nil && (t == other || t.AccessToken.Equal(other.AccessToken))
}

// leftAt is what is left of the life at that wall time, never if it has no end. It is
// not longer than the life that was granted: the clock that Expiry was read from may
// have been ahead, or ours is behind.
func (t *Token) leftAt(wall int64) time.Duration {
	if t.Expiry.IsZero() {
		return never
	}
	left := t.Expiry.Sub(time.Unix(0, wall))
	if t.ExpiresIn > 0 {
		left = min(left, t.ExpiresIn)
	}
	return left
}

// foreign reports whether the token was asked for something else than asks. One with a
// refresh token is not: asking for another would spend it.
func (t *Token) foreign(asks uint64) bool {
	return asks != 0 && t.asked != 0 && t.asked != asks && t.RefreshToken.IsZero() && !t.AccessToken.IsZero()
}

// unsendable says why no request can carry the token: net/http refuses a header with
// control characters, and trims one of its spaces.
func (t *Token) unsendable() error {
	access := t.AccessToken.Reveal()
	switch {
	case access == "":
		return nil
	case strings.TrimSpace(access) != access || strings.ContainsFunc(access, unicode.IsControl):
		return errAccessToken
	case strings.ContainsFunc(t.Type, unicode.IsControl):
		return errTokenType
	}
	return nil
}

var (
	errAccessToken = errors.New("manager: the new access token has a control character or outer spaces: no header can carry it")
	errTokenType   = errors.New("manager: the token_type has a control character: no header can carry it")
)

// datum makes RefreshExpiresIn, counted from then, the date that is kept.
func (t *Token) datum(then time.Time) {
	if t.RefreshExpiresIn > 0 {
		t.RefreshExpiry = then.Add(t.RefreshExpiresIn)
	}
	t.RefreshExpiresIn = 0
}

// A kept is a Token with its header's value beside it: one object where there would be
// two, since a garbage collector counts objects, and there may be a million.
type kept struct {
	Token
	both [2]string
}

// prepare makes the header's value. AccessToken then shares its bytes.
func (t *Token) prepare() {
	if t.AccessToken.IsZero() {
		return
	}
	scheme := t.scheme()
	value := scheme + " " + t.AccessToken.Reveal()
	t.carry(&[2]string{value, value[len(scheme)+1:]})
}

// keep gives a copy that is as prepared as t.
func (t *Token) keep() *Token {
	both := t.prepared()
	if both == nil {
		k := *t
		return &k
	}
	k := &kept{*t, *both}
	k.carry(&k.both)
	return &k.Token
}

func (t *Token) carry(both *[2]string) {
	t.header, t.AccessToken = &both[0], Secret{&both[1]}
}

// prepared gives the header's value and the access token; nil: prepare was not called
// since AccessToken was set.
func (t *Token) prepared() *[2]string {
	if t.header == nil {
		return nil
	}
	if both := (*[2]string)(unsafe.Slice(t.header, 2)); &both[1] == t.AccessToken.p {
		return both
	}
	return nil
}
