package oauth

import (
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"net/url"
	"time"

	"example.com/tokenactor/manager"
)

// proof makes a DPoP proof (RFC 9449 section 4.2). access is the token that the
// request carries, "" at the token endpoint.
func (s *signer) proof(method string, target *url.URL, access, nonce string, now time.Time) (string, error) {
	claims := map[string]any{
		"jti": rand.Text(),
		"htm": method,
		"htu": withoutQuery(target).String(),
		"iat": now.Unix(),
	}
	if access != "" {
		sum := sha256.Sum256([]byte(access))
		claims["ath"] = encode(sum[:])
	}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	return s.jws(map[string]any{"typ": "dpop+jwt", "alg": s.algorithm, "jwk": s.jwk}, claims)
}

// A prover proves one key to a token endpoint. A nil prover proves nothing.
type prover struct {
	binding *binding
	key     Key
	made    manager.Secret // the key's stored form, for the token to carry; zero: it carries none
	nonce   string         // of the last proof
}

// prover gives what proves the key of prev, or of a login that is to come.
func (d *DPoP) prover(prev manager.Token) (*prover, error) {
	if d == nil {
		return nil, nil
	}
	b := d.state()
	key, err := b.keyOf(&prev)
	p := &prover{binding: b, key: key}
	switch {
	case err != nil:
		return nil, err
	case key.IsZero():
		p.key, p.made, err = generate()
	case b.key.IsZero():
		p.made = prev.Extra[keyField]
	}
	return p, err
}

// sign puts a proof for the token endpoint into the header.
func (p *prover) sign(header http.Header, target *url.URL, now time.Time) error {
	if p == nil {
		return nil
	}
	p.nonce = p.binding.tokens.at(target).wanted()
	proof, err := p.key.signer().proof(http.MethodPost, target, "", p.nonce, now)
	header.Set("DPoP", proof)
	return err
}

// learn takes in the answer, and reports whether a nonce is known now that the
// proof did not have.
func (p *prover) learn(target *url.URL, header http.Header) (renonced bool) {
	if p == nil {
		return false
	}
	server := p.binding.tokens.at(target)
	server.learn(header)
	return server.wanted() != p.nonce
}

// keep makes t carry the key, if it is its own.
func (p *prover) keep(t *manager.Token) {
	if p == nil || p.made.IsZero() {
		return
	}
	if t.Extra == nil {
		t.Extra = make(map[string]manager.Secret)
	}
	t.Extra[keyField] = p.made
}
