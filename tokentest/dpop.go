package tokentest

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// proofAge is how far the iat of a proof may be from the server's time.
const proofAge = time.Minute

// prove checks the DPoP proof of a request (RFC 9449, section 4.3) for the URL that the server
// is known by, and gives the thumbprint of its key. problem is an error code of section 12.2,
// "" for a sound proof; access "": a call of the token endpoint.
func (s *Server) prove(r *http.Request, url, access, kind string) (key, problem string) {
	proofs := r.Header["Dpop"]
	if len(proofs) != 1 {
		return "", "invalid_dpop_proof"
	}
	t, err := readJWT(proofs[0], nil)
	if err != nil || t.header.Type != "dpop+jwt" || t.claims.Method != r.Method || t.claims.URI != url {
		return "", "invalid_dpop_proof"
	}
	if access != "" {
		sum := sha256.Sum256([]byte(access))
		if t.claims.Hash != base64.RawURLEncoding.EncodeToString(sum[:]) {
			return "", "invalid_dpop_proof"
		}
	}
	if age := s.now().Sub(time.Unix(t.claims.Issued, 0)); age.Abs() > proofAge || !s.first(t.claims.ID) {
		return "", "invalid_dpop_proof"
	}
	if s.opts.Nonces && t.claims.Nonce != s.nonce(kind) {
		return "", "use_dpop_nonce"
	}
	return thumbprint(t.header.JWK), ""
}

// nonce is the one that proofs must have now, another for each endpoint (section 9).
func (s *Server) nonce(kind string) string {
	return s.tokenName("nonce"+kind, int(s.epoch.Load())+1, 1)
}

// NewNonces makes the server want other nonces in proofs from now on.
func (s *Server) NewNonces() { s.epoch.Add(1) }

// offer tells the next nonce, as servers do with any answer (section 8.2).
func (s *Server) offer(a answer, kind string) answer {
	if s.opts.Nonces && a.header != nil {
		a.header.Set("DPoP-Nonce", s.nonce(kind))
	}
	return a
}

// proofOf checks the proof of a token call, where the server wants one.
func (s *Server) proofOf(c *tokenCall, r *http.Request) {
	if !s.opts.DPoP || c.problem != "" {
		return
	}
	c.key, c.problem = s.prove(r, s.TokenURL(), "", "token")
}

// bound checks that a request to the API proves the key of its token (section 7.1).
func (s *Server) bound(r *http.Request, t *access, scheme string) (answer, bool) {
	if t.key == "" {
		return answer{}, strings.EqualFold(scheme, "Bearer")
	}
	problem := "invalid_token"
	if strings.EqualFold(scheme, "DPoP") {
		var key string
		key, problem = s.prove(r, s.APIURL()+cmp.Or(r.URL.EscapedPath(), "/"), t.token, "api")
		if problem == "" && key != t.key {
			problem = "invalid_token"
		}
	}
	if problem == "" {
		return answer{}, true
	}
	a := plain(http.StatusUnauthorized, "", "")
	a.header.Set("WWW-Authenticate", fmt.Sprintf(`DPoP error=%q, algs="ES256 EdDSA"`, problem))
	return a, false
}
