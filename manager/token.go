package manager

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unsafe"
)

// hidden is what every way of printing a Secret shows.
const hidden = "[secret]"

// A Secret is a string that no log line shows. Only Reveal gives it out.
//
// All that a printer finds inside, also one that follows pointers and reads unexported
// fields as the diffs of testify do, is the length of the string and a hash that is
// another one in each process. For that hash's sake reflect.DeepEqual, and with it
// assert.Equal, takes two Secrets for equal that hold equal strings; == does not.
// The zero Secret is the absent one. Secrets are immutable and may be shared.
type Secret struct{ p *digest }

// A digest is the part of a secret that printers may find. fmt prints a string in
// an unexported field whatever methods its type has, other printers follow a pointer to
// one, and reflect.DeepEqual would compare an unsafe.Pointer by its address.
type digest struct{ length, hash uint32 }

// A secret is what a Secret points to, the start of: no type says that there is more.
type secret struct {
	digest
	data *byte // of length bytes
}

var secretSeed = maphash.MakeSeed()

// NewSecret hides s. The empty string gives the zero Secret.
func NewSecret(s string) Secret {
	switch {
	case s == "":
		return Secret{}
	case uint64(len(s)) > math.MaxUint32:
		panic("manager: a secret of 4 GiB")
	}
	hash := uint32(maphash.String(secretSeed, s))
	return (&secret{digest{uint32(len(s)), hash}, unsafe.StringData(s)}).hidden()
}

// hidden gives the Secret that points to s. The pointer to its first field keeps all
// of it alive.
func (s *secret) hidden() Secret { return Secret{&s.digest} }

// Reveal gives the string itself: for the wire and for storage, never for a log.
func (s Secret) Reveal() string {
	if s.p == nil {
		return ""
	}
	whole := (*secret)(unsafe.Pointer(s.p))
	return unsafe.String(whole.data, whole.length)
}

// IsZero reports whether there is no secret.
func (s Secret) IsZero() bool { return s.p == nil }

// Equal compares the hidden strings, in constant time for those of equal length.
func (s Secret) Equal(other Secret) bool {
	if s.p == other.p {
		return true
	}
	return s.p != nil && other.p != nil && subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(other.Reveal())) == 1
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

	// Type is the token_type of RFC 6749 section 7.1, the scheme that AccessToken is
	// sent under; "" stands for "Bearer". A name of an API's own goes out as it is,
	// such as "Zoho-oauthtoken". One that cannot be a scheme (RFC 9110 section 11.1)
	// is an error of the refresh or of Install, which sends no such token but keeps
	// its refresh token. So is the name of a registered scheme other than Bearer and
	// DPoP, and mac, PoP and N_A: such a server wants more than the token, or gave out
	// something else. A Refresher whose AccessToken is all that such a scheme wants
	// leaves Type empty, and client.PlaceFunc writes the header.
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

	// Where the header's value is, made once. A pointer to nothing, as printers see it.
	header *opaque
}

// Generation counts the tokens that the manager installed for this credential,
// over restarts. It is 0 for a Token that the manager never saw.
func (t *Token) Generation() uint64 { return t.generation }

// Login counts the logins and logouts of this credential. Of two tokens the
// one with the greater (Login, Generation) is the newer.
func (t *Token) Login() uint64 { return t.login }

// Authorization returns the value of the Authorization header (RFC 6750 section
// 2.1): the type, a space, the access token. The slice is shared by all callers
// and has no spare capacity: put it into an http.Header, do not write to it.
func (t *Token) Authorization() []string {
	if h := t.prepared(); h != nil {
		return unsafe.Slice(&h.value, 1)
	}
	return []string{t.scheme() + " " + t.AccessToken.Reveal()} // of a copy that was changed, or of a new token
}

// scheme is the type as it goes into the header. Servers answer "bearer" and
// compare "Bearer": both are the same scheme (RFC 9110 section 11.1).
func (t *Token) scheme() string {
	switch {
	case t.Type == "" || strings.EqualFold(t.Type, "Bearer"):
		return "Bearer"
	case strings.EqualFold(t.Type, "DPoP"):
		return "DPoP"
	}
	return t.Type
}

// String describes the token without its secrets.
func (t Token) String() string {
	if t.AccessToken.IsZero() {
		return "token(none)"
	}
	scheme := t.scheme()
	if !validType(scheme) {
		scheme = strconv.Quote(scheme)
	}
	s := fmt.Sprintf("token(%s login=%d generation=%d", scheme, t.login, t.generation)
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
// control characters, and trims one of its spaces; and a type may ask for more than the
// token (RFC 6749 section 7.1: a client must not use one that it does not understand).
func (t *Token) unsendable() error {
	access := t.AccessToken.Reveal()
	switch scheme := t.scheme(); {
	case access == "":
		return nil
	case strings.TrimSpace(access) != access || strings.ContainsFunc(access, unicode.IsControl):
		return errAccessToken
	case !validType(scheme):
		return errTokenType
	case UnsendableType(scheme):
		return fmt.Errorf("manager: the new token has the token_type %s: it is not sent, since such a token is not one that goes into a header as it is", scheme)
	}
	return nil
}

var (
	errAccessToken = errors.New("manager: the new access token has a control character or outer spaces: no header can carry it")
	errTokenType   = errors.New("manager: the token_type is not the name of a scheme (RFC 9110 section 11.1): no header can carry it")
)

// datum makes RefreshExpiresIn, counted from then, the date that is kept.
func (t *Token) datum(then time.Time) {
	if t.RefreshExpiresIn > 0 {
		t.RefreshExpiry = then.Add(t.RefreshExpiresIn)
	}
	t.RefreshExpiresIn = 0
}

// A header is the value of the Authorization header, "Bearer …", and the access token,
// which is a part of it.
type header struct {
	value  string
	access secret
}

type opaque struct{}

// A kept is a Token with its header beside it: one object where there would be two,
// since a garbage collector counts objects, and there may be a million.
type kept struct {
	Token
	header header
}

// prepare makes the header's value. AccessToken then shares its bytes.
func (t *Token) prepare() {
	if t.AccessToken.IsZero() {
		return
	}
	access := t.AccessToken.Reveal()
	value := t.scheme() + " " + access
	part := value[len(value)-len(access):]
	t.carry(&header{value, secret{*t.AccessToken.p, unsafe.StringData(part)}})
}

// keep gives a copy that is as prepared as t.
func (t *Token) keep() *Token {
	h := t.prepared()
	if h == nil {
		k := *t
		return &k
	}
	k := &kept{*t, *h}
	k.carry(&k.header)
	return &k.Token
}

func (t *Token) carry(h *header) {
	t.header, t.AccessToken = (*opaque)(unsafe.Pointer(h)), h.access.hidden()
}

// prepared gives the header; nil: prepare was not called since AccessToken was set.
func (t *Token) prepared() *header {
	if h := (*header)(unsafe.Pointer(t.header)); h != nil && &h.access.digest == t.AccessToken.p {
		return h
	}
	return nil
}
