package tokentest_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"testing"
)

// A signer makes JWTs for the tests.
type signer struct {
	algorithm string
	key       crypto.Signer
	jwk       map[string]string
}

func es256(t *testing.T) signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return signer{"ES256", key, map[string]string{"kty": "EC", "crv": "P-256", "x": b64(point[1:33]), "y": b64(point[33:])}}
}

func edDSA(t *testing.T) signer {
	t.Helper()
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return signer{"EdDSA", key, map[string]string{"kty": "OKP", "crv": "Ed25519", "x": b64(public)}}
}

func rs256(t *testing.T) signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return signer{"RS256", key, nil}
}

// jwt signs claims; header replaces members of the header.
func (s signer) jwt(t *testing.T, claims map[string]any, header ...map[string]any) string {
	t.Helper()
	h := map[string]any{"alg": s.algorithm, "typ": "JWT"}
	for _, more := range header {
		maps.Copy(h, more)
	}
	text := func(v any) string {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return b64(data)
	}
	input := text(h) + "." + text(claims)
	if key, ok := s.key.(*ecdsa.PrivateKey); ok {
		sum := sha256.Sum256([]byte(input))
		r, n, err := ecdsa.Sign(rand.Reader, key, sum[:])
		if err != nil {
			t.Fatal(err)
		}
		both := make([]byte, 64)
		r.FillBytes(both[:32])
		n.FillBytes(both[32:])
		return input + "." + b64(both)
	}
	digest, hash := []byte(input), crypto.Hash(0)
	if s.algorithm == "RS256" {
		sum := sha256.Sum256(digest)
		digest, hash = sum[:], crypto.SHA256
	}
	signature, err := s.key.Sign(rand.Reader, digest, hash)
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + b64(signature)
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// with is claims but for some.
func with(claims map[string]any, more map[string]any) map[string]any {
	claims = maps.Clone(claims)
	maps.Copy(claims, more)
	return claims
}
