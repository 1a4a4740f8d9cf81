package tokentest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"time"
)

// tolerance is how much the clock of whoever signed a JWT may differ from the server's.
const tolerance = 30 * time.Second

// jwt is what a JWT says, its signature checked (RFC 7519).
type jwt struct {
	header struct {
		Type      string          `json:"typ"`
		Algorithm string          `json:"alg"`
		JWK       json.RawMessage `json:"jwk"`
	}
	claims struct {
		Issuer   string `json:"iss"`
		Subject  string `json:"sub"`
		Audience string `json:"aud"`
		ID       string `json:"jti"`
		Issued   int64  `json:"iat"`
		Expires  int64  `json:"exp"`

		// Of a DPoP proof (RFC 9449, section 4.2).
		Method string `json:"htm"`
		URI    string `json:"htu"`
		Hash   string `json:"ath"`
		Nonce  string `json:"nonce"`
	}
}

var errJWT = errors.New("tokentest: bad JWT")

// readJWT checks the signature with key; nil: with the key in the header, as of a proof.
func readJWT(token string, key crypto.PublicKey) (*jwt, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, errJWT
	}
	t := &jwt{}
	header, err1 := decode(parts[0])
	claims, err2 := decode(parts[1])
	signature, err3 := decode(parts[2])
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	if err := errors.Join(json.Unmarshal(header, &t.header), json.Unmarshal(claims, &t.claims)); err != nil {
		return nil, err
	}
	if key == nil {
		var err error
		if key, err = readJWK(t.header.JWK); err != nil {
			return nil, err
		}
	}
	if !verify(key, t.header.Algorithm, []byte(parts[0]+"."+parts[1]), signature) {
		return nil, errJWT
	}
	return t, nil
}

func verify(key crypto.PublicKey, algorithm string, input, signature []byte) bool {
	sum := sha256.Sum256(input)
	switch key := key.(type) {
	case *rsa.PublicKey:
		return algorithm == "RS256" && rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature) == nil
	case *ecdsa.PublicKey:
		return algorithm == "ES256" && len(signature) == 64 &&
			ecdsa.Verify(key, sum[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:]))
	case ed25519.PublicKey:
		return algorithm == "EdDSA" && ed25519.Verify(key, input, signature)
	}
	return false
}

// readJWK reads a public key (RFC 7517) of P-256 or Ed25519.
func readJWK(data []byte) (crypto.PublicKey, error) {
	var jwk struct{ Kty, Crv, X, Y, D string }
	if err := json.Unmarshal(data, &jwk); err != nil || jwk.D != "" { // section 4.3: no private key
		return nil, errJWT
	}
	x, err1 := decode(jwk.X)
	y, err2 := decode(jwk.Y)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	switch {
	case jwk.Kty == "EC" && jwk.Crv == "P-256" && len(x) == 32 && len(y) == 32:
		return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, x...), y...))
	case jwk.Kty == "OKP" && jwk.Crv == "Ed25519" && len(x) == ed25519.PublicKeySize:
		return ed25519.PublicKey(x), nil
	}
	return nil, errJWT
}

// thumbprint is that of RFC 7638: the required members only, sorted.
func thumbprint(data []byte) string {
	var jwk struct {
		Crv string `json:"crv"`
		Kty string `json:"kty"`
		X   string `json:"x"`
		Y   string `json:"y,omitempty"`
	}
	if json.Unmarshal(data, &jwk) != nil {
		return ""
	}
	canonical, err := json.Marshal(jwk)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(canonical)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func decode(s string) ([]byte, error) { return base64.RawURLEncoding.DecodeString(s) }

// fits reports whether an assertion is for this server, and good now (RFC 7523, section 3).
// Its jti, if it has one, works once.
func (s *Server) fits(t *jwt, audience ...string) bool {
	now := s.now()
	for _, one := range audience {
		if t.claims.Audience == one && t.claims.Issued <= now.Add(tolerance).Unix() && t.claims.Expires > now.Unix() {
			return t.claims.ID == "" || s.first(t.claims.ID)
		}
	}
	return false
}

// first reports whether a jti was never seen before.
func (s *Server) first(id string) bool {
	_, seen := s.ids.LoadOrStore(id, struct{}{})
	return id != "" && !seen
}
