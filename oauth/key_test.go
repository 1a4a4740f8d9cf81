package oauth_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/tokenactor/oauth"
)

func block(kind string, der []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func TestParseKey(t *testing.T) {
	for algorithm, signer := range signers() {
		der, err := x509.MarshalPKCS8PrivateKey(signer)
		forms := map[string][]byte{"PKCS #8": block("PRIVATE KEY", der, err)}
		switch key := signer.(type) {
		case *rsa.PrivateKey:
			forms["PKCS #1"] = block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key), nil)
		case *ecdsa.PrivateKey:
			der, err := x509.MarshalECPrivateKey(key)
			forms["RFC 5915"] = block("EC PRIVATE KEY", der, err)
		}
		for form, data := range forms {
			k, err := oauth.ParseKey(data, "k1")
			if want := `key(` + algorithm + ` "k1")`; err != nil || k.String() != want {
				t.Errorf("%s: got %v, %v, want %s", form, k, err, want)
			}
		}
	}
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	bigDER, bigErr := x509.MarshalPKCS8PrivateKey(p384)
	for _, test := range []struct {
		data []byte
		want string
	}{
		{nil, "oauth: ParseKey: this is no PEM: it should begin with -----BEGIN PRIVATE KEY-----"},
		{[]byte("at-key"), "oauth: ParseKey: this is no PEM: it should begin with -----BEGIN PRIVATE KEY-----"},
		{block("CERTIFICATE", []byte("at-key"), nil), "oauth: ParseKey: the PEM is neither PRIVATE KEY nor RSA PRIVATE KEY nor EC PRIVATE KEY"},
		{block("PRIVATE KEY", []byte("at-key"), nil), "oauth: ParseKey: the PEM has no key of its kind in it, or an encrypted one"},
		{block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(small), nil), "oauth: NewKey: an RSA key of 1024 bits is too short: RS256 needs 2,048 (RFC 7518 section 3.3)"},
		{block("PRIVATE KEY", bigDER, bigErr), "oauth: NewKey: of elliptic curves only P-256 is supported (ES256)"},
	} {
		k, err := oauth.ParseKey(test.data, "")
		if err == nil || err.Error() != test.want || !k.IsZero() {
			t.Errorf("got %v, %v, want %s", k, err, test.want)
		}
	}
	if _, err := oauth.NewKey(nil, ""); err == nil {
		t.Error("NewKey(nil): no error")
	}
}

// A hardware module is a crypto.Signer that may fail, or answer nonsense.
type module struct {
	crypto.Signer
	signature []byte
	err       error
}

func (m module) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return m.signature, m.err }

func TestSign(t *testing.T) {
	now := time.Unix(1700000000, 0)
	jwt, err := keyOf(t, "ES256").Sign(oauth.Claims{Issuer: "i", Life: time.Minute, More: map[string]any{"aud": []string{"a", "b"}, "scope": "read"}}, now)
	if err != nil {
		t.Fatal(err)
	}
	header, claims := readJWS(t, jwt)
	if header["alg"] != "ES256" || header["kid"] != "key-1" || header["typ"] != "JWT" || len(header) != 3 {
		t.Errorf("header: got %v", header)
	}
	if claims["iss"] != "i" || claims["sub"] != nil || claims["iat"] != 1699999995.0 || claims["exp"] != 1700000060.0 ||
		claims["scope"] != "read" || len(claims["aud"].([]any)) != 2 || claims["jti"] == "" {
		t.Errorf("claims: got %v", claims)
	}

	for name, m := range map[string]module{
		"fails":         {err: errors.New("the module is locked")},
		"no signature":  {},
		"no ASN.1":      {signature: []byte("signature")},
		"far too large": {signature: slices.Concat([]byte{0x30, 41, 2, 36, 1}, make([]byte, 35), []byte{2, 1, 1})},
	} {
		m.Signer = signers()["ES256"]
		k, err := oauth.NewKey(m, "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := k.Sign(oauth.Claims{}, now); err == nil || !strings.HasPrefix(err.Error(), "oauth: a JWT could not be signed: ") {
			t.Errorf("%s: got %v, want an error", name, err)
		}
	}
	if _, err := (oauth.Key{}).Sign(oauth.Claims{}, now); err == nil || err.Error() != "oauth: the Key is zero: make one with NewKey or ParseKey" {
		t.Errorf("got %v", err)
	}
	if _, err := keyOf(t, "EdDSA").Sign(oauth.Claims{More: map[string]any{"x": func() {}}}, now); err == nil {
		t.Error("claims that are no JSON: no error")
	}
}

// Short numbers in a signature are filled up: one in 128 has one.
func TestSignaturesOfFullLength(t *testing.T) {
	k := keyOf(t, "ES256")
	for range 600 {
		jwt, err := k.Sign(oauth.Claims{}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if signature := jwt[strings.LastIndex(jwt, ".")+1:]; len(signature) != 86 {
			t.Fatalf("a signature of %d characters, want 86", len(signature))
		}
	}
}

func FuzzParseKey(f *testing.F) {
	for _, signer := range signers() {
		der, err := x509.MarshalPKCS8PrivateKey(signer)
		f.Add(block("PRIVATE KEY", der, err))
		f.Add(block("EC PRIVATE KEY", der, err))
	}
	f.Add([]byte("-----BEGIN RSA PRIVATE KEY-----\n-----END RSA PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		k, err := oauth.ParseKey(data, "id")
		if (err == nil) == k.IsZero() {
			t.Fatalf("got %v, %v, want one of them", k, err)
		}
		if err != nil {
			return
		}
		if _, err := k.Sign(oauth.Claims{Issuer: "x"}, time.Now()); err != nil {
			t.Errorf("a key that was read cannot sign: %v", err)
		}
	})
}
