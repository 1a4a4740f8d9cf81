package integration

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"example.com/tokenactor/oauth"
)

// keyID is the kid of the key that the client "keyed", and the service account, have.
const keyID = "tests"

// privateKey is the one key of these tests. It is RSA, because zitadel and fosite take
// RS256 alone where nothing else is registered.
var privateKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// signingKey is that key as package oauth has it.
func signingKey(t testing.TB) oauth.Key {
	t.Helper()
	key, err := oauth.NewKey(privateKey(), keyID)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// publicJWK is its public part (RFC 7517).
func publicJWK() map[string]any {
	public := privateKey().PublicKey
	return map[string]any{
		"kty": "RSA", "kid": keyID, "use": "sig", "alg": "RS256",
		"n": base64.RawURLEncoding.EncodeToString(public.N.Bytes()),
		"e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(public.E)).Bytes()),
	}
}

// certificate makes one for 127.0.0.1 and that key, signed by itself (DER): a server's
// and a client's.
func certificate(t testing.TB) []byte {
	t.Helper()
	about := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, about, about, &privateKey().PublicKey, privateKey())
	if err != nil {
		t.Fatal(err)
	}
	return der
}
