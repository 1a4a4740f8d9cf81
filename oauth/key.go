package oauth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
)

// A Key signs: an assertion for a grant ([JWTBearer]), one that authenticates a
// client ([PrivateKeyJWT]), or proofs ([NewDPoP]). Its algorithm follows from its
// kind: RS256 of an RSA key of 2,048 bits or more, ES256 of one on P-256, EdDSA of
// an Ed25519 one (RFC 7518 section 3.1, RFC 8037).
//
// The zero Key is none. Keys are immutable; one may be used by any number of
// goroutines, if its crypto.Signer may. No way of printing a Key shows what it
// signs with.
type Key struct {
	signer func() *signer // a function, which no way of printing looks into
}

type signer struct {
	crypto.Signer
	algorithm string
	id        string
	jwk       json.RawMessage // the public part (RFC 7517)
}

// NewKey makes a Key of a signer, such as a private key of package ecdsa or one
// that stays in a hardware module. id is the kid of the header (RFC 7515 section
// 4.1.4), by which the server finds the public part; "": there is none.
func NewKey(s crypto.Signer, id string) (Key, error) {
	if s == nil {
		return Key{}, errors.New("oauth: NewKey: there is no signer")
	}
	kept := &signer{Signer: s, id: id}
	var jwk any
	switch public := s.Public().(type) {
	case *rsa.PublicKey:
		if public.N.BitLen() < 2048 {
			return Key{}, fmt.Errorf("oauth: NewKey: an RSA key of %d bits is too short: RS256 needs 2,048 (RFC 7518 section 3.3)", public.N.BitLen())
		}
		kept.algorithm = "RS256"
		jwk = map[string]string{"kty": "RSA", "n": encode(public.N.Bytes()), "e": encode(big.NewInt(int64(public.E)).Bytes())}
	case *ecdsa.PublicKey:
		if public.Curve != elliptic.P256() {
			return Key{}, errors.New("oauth: NewKey: of elliptic curves only P-256 is supported (ES256)")
		}
		point, err := public.Bytes()
		if err != nil {
			return Key{}, fmt.Errorf("oauth: NewKey: %w", err)
		}
		kept.algorithm = "ES256"
		jwk = map[string]string{"crv": "P-256", "kty": "EC", "x": encode(point[1:33]), "y": encode(point[33:])}
	case ed25519.PublicKey:
		kept.algorithm = "EdDSA"
		jwk = map[string]string{"crv": "Ed25519", "kty": "OKP", "x": encode(public)}
	default:
		return Key{}, fmt.Errorf("oauth: NewKey: a key of %T is not supported: use RSA, ECDSA on P-256, or Ed25519", public)
	}
	var err error
	if kept.jwk, err = json.Marshal(jwk); err != nil { // sorted, without spaces: as the thumbprint wants it
		return Key{}, fmt.Errorf("oauth: NewKey: %w", err)
	}
	return Key{func() *signer { return kept }}, nil
}

// ParseKey reads a private key in PEM: "PRIVATE KEY" (PKCS #8), "RSA PRIVATE KEY"
// (PKCS #1) or "EC PRIVATE KEY" (RFC 5915). id is as for [NewKey]. No error repeats
// what it was given.
func ParseKey(data []byte, id string) (Key, error) {
	block, _ := pem.Decode(data)
	if block == nil {
		return Key{}, errors.New("oauth: ParseKey: this is no PEM: it should begin with -----BEGIN PRIVATE KEY-----")
	}
	var key any
	var err error
	switch block.Type {
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		return Key{}, errors.New("oauth: ParseKey: the PEM is neither PRIVATE KEY nor RSA PRIVATE KEY nor EC PRIVATE KEY")
	}
	if err != nil {
		return Key{}, errors.New("oauth: ParseKey: the PEM has no key of its kind in it, or an encrypted one")
	}
	s, ok := key.(crypto.Signer)
	if !ok {
		return Key{}, fmt.Errorf("oauth: ParseKey: a key of %T cannot sign", key)
	}
	return NewKey(s, id)
}

// IsZero reports whether there is no key.
func (k Key) IsZero() bool { return k.signer == nil }

// String tells the algorithm and the id.
func (k Key) String() string {
	if k.IsZero() {
		return "key(none)"
	}
	s := k.signer()
	return fmt.Sprintf("key(%s %q)", s.algorithm, s.id)
}

// thumbprint is that of RFC 7638, with SHA-256.
func (s *signer) thumbprint() string {
	sum := sha256.Sum256(s.jwk)
	return encode(sum[:])
}

// sign makes the signature of a JWS (RFC 7518 section 3).
func (s *signer) sign(input []byte) ([]byte, error) {
	if s.algorithm == "EdDSA" {
		return s.Sign(rand.Reader, input, crypto.Hash(0))
	}
	sum := sha256.Sum256(input)
	signature, err := s.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil || s.algorithm != "ES256" {
		return signature, err
	}
	var point struct{ R, S *big.Int } // Go signs in ASN.1, JWS wants both numbers at full length
	if rest, err := asn1.Unmarshal(signature, &point); err != nil || len(rest) > 0 || point.R.BitLen() > 256 || point.S.BitLen() > 256 {
		return nil, errors.New("oauth: the signer's signature is no ECDSA signature in ASN.1")
	}
	both := make([]byte, 64)
	point.R.FillBytes(both[:32])
	point.S.FillBytes(both[32:])
	return both, nil
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
