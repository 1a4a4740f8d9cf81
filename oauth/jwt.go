package oauth

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"example.com/tokenactor/manager"
)

const (
	assertionLife = 5 * time.Minute
	backdated     = 5 * time.Second // iat lies so far back, for servers that are a little behind
)

// Claims are what a signed JWT says (RFC 7519 section 4.1). Fields that are zero
// are left out of it.
type Claims struct {
	// Issuer is iss, Subject sub, Audience aud. Of a service account Issuer is
	// its own name, and Subject the user for whom it acts.
	Issuer, Subject, Audience string

	// Life is how long the JWT is good, exp. 0: 5 min. Longer ones are refused
	// by some: GitHub allows 10 min, Google 1 h.
	Life time.Duration

	// More are claims besides. One that is named like a claim above replaces it.
	More map[string]any
}

// An Assertion gives the assertion of one request (RFC 7521 section 4.1). It is
// called for each anew, by several goroutines at once. now is the time by the
// authorization server's clock, as far as its answers have told it; ctx is that of
// the refresh.
type Assertion func(ctx context.Context, now time.Time) (string, error)

// Assertion signs claims anew for each request.
func (k Key) Assertion(claims Claims) Assertion {
	return func(_ context.Context, now time.Time) (string, error) { return k.Sign(claims, now) }
}

var errZeroKey = errors.New("oauth: the Key is zero: make one with NewKey or ParseKey")

// Sign makes a JWT of claims (RFC 7515 section 7.1) that was issued at now, less
// five seconds, and has a jti of its own. Use it where an API that is no OAuth
// wants a JWT, as GitHub does of its Apps.
func (k Key) Sign(claims Claims, now time.Time) (string, error) {
	if k.IsZero() {
		return "", manager.Permanent(errZeroKey)
	}
	life := claims.Life
	if life <= 0 {
		life = assertionLife
	}
	all := map[string]any{
		"iat": now.Add(-backdated).Unix(),
		"exp": now.Add(life).Unix(),
		"jti": rand.Text(),
	}
	for name, value := range map[string]string{"iss": claims.Issuer, "sub": claims.Subject, "aud": claims.Audience} {
		if value != "" {
			all[name] = value
		}
	}
	maps.Copy(all, claims.More)
	s := k.signer()
	header := map[string]any{"typ": "JWT", "alg": s.algorithm}
	if s.id != "" {
		header["kid"] = s.id
	}
	return s.jws(header, all)
}

// jws is the compact serialization (RFC 7515 section 7.1).
func (s *signer) jws(header, claims any) (string, error) {
	h, err := json.Marshal(header)
	if err != nil {
		return "", fmt.Errorf("oauth: the header of a JWT: %w", err)
	}
	c, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("oauth: the claims of a JWT: %w", err)
	}
	input := encode(h) + "." + encode(c)
	signature, err := s.sign([]byte(input))
	if err != nil {
		return "", fmt.Errorf("oauth: a JWT could not be signed: %w", err)
	}
	return input + "." + encode(signature), nil
}
