package tokentest

import (
	"crypto"
	"net/url"
	"time"
)

// Options say what kind of server New makes. The zero value is the cruel default:
// access tokens live an hour, refresh tokens rotate, and one that comes back
// revokes its family.
type Options struct {
	// Life of an access token. 0 means 1 h. Negative: it never expires, and
	// expires_in is left out.
	Life time.Duration

	// RefreshLife of a refresh token, from its issue. 0: it never expires.
	RefreshLife time.Duration

	// NoRotation: a refresh answers without a refresh_token, and the old one stays
	// good (RFC 6749, section 6).
	NoRotation bool

	// NoReuseDetection: a spent refresh token gets invalid_grant, and its family
	// lives on.
	NoReuseDetection bool

	// ClientID and ClientSecret, by HTTP Basic or in the form (RFC 6749, section
	// 2.3.1). Empty means "client" and "client-secret".
	ClientID, ClientSecret string

	// Public: the client has no secret, and only says its name (section 3.2.1).
	Public bool

	// ClientKey: the client authenticates by JWTs that this key verifies (RFC 7523,
	// section 2.2), and has no secret. *rsa.PublicKey, *ecdsa.PublicKey of P-256 or
	// ed25519.PublicKey.
	ClientKey crypto.PublicKey

	// AssertionKey verifies the assertions of the JWT bearer grant (RFC 7523, section
	// 2.1), whoever issued them. nil: there is no such grant.
	AssertionKey crypto.PublicKey

	// Users are the names and passwords of the password grant (RFC 6749, section 4.3).
	Users map[string]string

	// PollInterval is how often a program may ask for the login on another device (RFC
	// 8628, section 3.2). 0: 5 s.
	PollInterval time.Duration

	// Consent is what the user says to an authorization request: "" for yes, or an error
	// code such as "access_denied". nil: yes. It is called concurrently.
	Consent func(request url.Values) (refusal string)

	// DPoP: each token request must have a proof (RFC 9449), and tokens are bound to its
	// key, of ES256 or EdDSA. Without it proofs are not looked at. Nonces: proofs must have
	// the nonce of the moment; see NewNonces.
	DPoP, Nonces bool

	// Latency of the token endpoint. The work is done when the call arrives and the
	// answer comes after this time: a caller who waits for 1 s only, with a Latency
	// of 2 s, has spent its refresh token for nothing.
	Latency time.Duration

	// APILatency of the protected API. An access token is judged at its end, so that
	// one may expire on the way.
	APILatency time.Duration

	// Now is the clock that lives are counted with; nil means time.Now, which is the
	// virtual one in a synctest bubble. It is called concurrently. Latencies are not
	// slept by it but by package time.
	Now func() time.Time

	// ClockOffset is how far the server's clock is ahead of Now; negative: behind.
	// It shows in the Date header.
	ClockOffset time.Duration

	// ExpiresIn is what the server says about a life, whatever the truth. nil: the
	// truth in whole seconds, rounded down, so that 1.9 s becomes 1 and 200 ms 0.
	// Omit leaves it out. Anything else goes into the JSON as it is: 0, -1, "3600".
	ExpiresIn any

	// RevokeRate is the probability, for each API request with a good access token,
	// that this token is revoked just then. 0.001: a crawler loses its token about
	// every thousandth request.
	RevokeRate float64

	// RevokeEvery revokes all access tokens then alive once in each period of this
	// length since New, at a moment drawn from Seed. 0: never. Nothing runs for it:
	// the moments are computed when a request comes.
	RevokeEvery time.Duration

	// Seed of all randomness, the tokens' included. 0: drawn anew by each New, and
	// told by Server.Seed, so that a run can be repeated.
	Seed uint64

	// Log is how many of the newest calls Calls remembers: so many of the API's, and
	// as many of the authorization server's. 0 means 1,024; negative: none. One takes
	// about 160 bytes. Stats counts all calls whatever Log says.
	Log int
}

// Omit as Options.ExpiresIn, or in the fault ExpiresIn, leaves expires_in out of the
// answer.
var Omit any = omit{}

type omit struct{}

func (o Options) life() time.Duration {
	if o.Life == 0 {
		return time.Hour
	}
	return o.Life
}

func (o Options) clientID() string {
	if o.ClientID == "" {
		return "client"
	}
	return o.ClientID
}

func (o Options) clientSecret() string {
	if o.ClientSecret == "" {
		return "client-secret"
	}
	return o.ClientSecret
}

// public: tokens of a client that cannot prove who it is are bound to its key.
func (o Options) public() bool { return o.Public && o.DPoP }

func (o Options) pollInterval() time.Duration {
	if o.PollInterval <= 0 {
		return 5 * time.Second
	}
	return o.PollInterval
}

func (o Options) consent(request url.Values) (refusal string) {
	if o.Consent == nil {
		return ""
	}
	return o.Consent(request)
}

func (o Options) now() time.Time {
	if o.Now == nil {
		return time.Now().Add(o.ClockOffset)
	}
	return o.Now().Add(o.ClockOffset)
}

func (o Options) log() int {
	if o.Log == 0 {
		return 1024
	}
	return max(o.Log, 0)
}

// expiresIn is the member expires_in of an answer; ok is false where it has none.
func (o Options) expiresIn(override any) (v any, ok bool) {
	if override == nil {
		override = o.ExpiresIn
	}
	if override != nil {
		return override, override != Omit
	}
	return int64(o.life() / time.Second), o.life() >= 0
}
