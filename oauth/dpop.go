package oauth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"sync"

	"example.com/tokenactor/manager"
)

// A DPoP binds tokens to a key (RFC 9449), so that a stolen token is of no use
// without it. One is given to both sides: Options.DPoP of the grant or login, which
// then proves the key to the token endpoint, and client.Transport.Place, where it
// signs each request and learns nonces from each answer:
//
//	dpop := oauth.NewDPoP(oauth.Key{})
//	c := m.Manage("crawler", oauth.ClientCredentials(cfg, oauth.Options{DPoP: dpop}))
//	api := &http.Client{Transport: &client.Transport{Source: c, Place: dpop}}
//
// A token whose type is not DPoP, from a server that does not know it, goes as that
// type says, and without a proof.
//
// One DPoP may serve any number of credentials, servers and goroutines; it remembers
// the nonces of the last thousand servers. An ES256 proof takes some 30 µs of CPU.
type DPoP struct {
	state func() *binding // a function, which no way of printing looks into
}

type binding struct {
	key    Key // zero: each login has its own
	tokens peers
	apis   peers // their nonces are others than those of a token endpoint at the same origin (section 9)

	mu   sync.Mutex
	keys map[string]Key // by their stored form: reading one takes longer than signing
}

// NewDPoP makes a DPoP of a key: ES256 and EdDSA are what servers know. With the
// zero Key each login, or each credential of a grant that needs none, gets an ES256
// key of its own, which is kept in Token.Extra and so is stored, and sealed, with
// the token. A refresh token of a client without a secret works with the key of its
// login only (section 5).
func NewDPoP(key Key) *DPoP {
	b := &binding{key: key, keys: make(map[string]Key)}
	return &DPoP{func() *binding { return b }}
}

// String tells the kind of key.
func (d *DPoP) String() string {
	if d == nil || d.state == nil {
		return "dpop(none)"
	}
	return fmt.Sprintf("dpop(%v)", d.state().key)
}

// keyField is where a token carries its key in Token.Extra: PKCS #8 in base64.
const keyField = "dpop_private_key"

var errNoDPoPKey = errors.New("oauth: the token is bound to a key that it does not carry: its grant or login needs this DPoP in its Options")

// keyOf gives the key that t is bound to; a zero Key and no error: t carries none.
func (b *binding) keyOf(t *manager.Token) (Key, error) {
	stored := t.Extra[keyField].Reveal()
	if !b.key.IsZero() || stored == "" {
		return b.key, nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if k, ok := b.keys[stored]; ok {
		return k, nil
	}
	der, err := base64.StdEncoding.DecodeString(stored)
	if err != nil {
		return Key{}, errors.New("oauth: the DPoP key of the token is damaged")
	}
	private, err := x509.ParsePKCS8PrivateKey(der)
	s, ok := private.(crypto.Signer)
	if err != nil || !ok {
		return Key{}, errors.New("oauth: the DPoP key of the token is damaged")
	}
	k, err := NewKey(s, "")
	if err == nil {
		if len(b.keys) >= maxPeers {
			clear(b.keys)
		}
		b.keys[stored] = k
	}
	return k, err
}

// generate makes a key, and the form in which a token carries it.
func generate() (Key, manager.Secret, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Key{}, manager.Secret{}, fmt.Errorf("oauth: no DPoP key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return Key{}, manager.Secret{}, fmt.Errorf("oauth: no DPoP key: %w", err)
	}
	k, err := NewKey(private, "")
	return k, manager.NewSecret(base64.StdEncoding.EncodeToString(der)), err
}
