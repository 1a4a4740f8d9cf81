package tokentest_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"example.com/tokenactor/tokentest"
)

// A prover sends requests with proofs.
type prover struct {
	t   *testing.T
	srv *tokentest.Server
	key signer
	n   *int
}

func (p prover) proof(method, target, access string, more map[string]any) string {
	*p.n++
	claims := map[string]any{"jti": fmt.Sprint("proof ", *p.n), "htm": method, "htu": target, "iat": time.Now().Unix()}
	if access != "" {
		sum := sha256.Sum256([]byte(access))
		claims["ath"] = b64(sum[:])
	}
	return p.key.jwt(p.t, with(claims, more), map[string]any{"typ": "dpop+jwt", "jwk": p.key.jwk})
}

// members are those of an answer in JSON.
func members(t *testing.T, resp *http.Response) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&m); err != nil {
		t.Fatal(err)
	}
	return m
}

// token asks for a token with a proof, and gives the error and the nonce wanted.
func (p prover) token(form url.Values, proof string) (r map[string]any, nonce string) {
	p.t.Helper()
	form.Set("client_id", p.srv.ClientID())
	form.Set("client_secret", p.srv.ClientSecret())
	req, err := http.NewRequest("POST", p.srv.TokenURL(), strings.NewReader(form.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if proof != "" {
		req.Header.Set("DPoP", proof)
	}
	resp, err := p.srv.Client().Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	return members(p.t, resp), resp.Header.Get("DPoP-Nonce")
}

// api calls the API, and gives the challenge, "" for none.
func (p prover) api(scheme, access, proof string) (challenge, nonce string) {
	p.t.Helper()
	req, err := http.NewRequest("GET", p.srv.APIURL()+"/x?q=1", nil)
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Authorization", scheme+" "+access)
	if proof != "" {
		req.Header.Set("DPoP", proof)
	}
	resp, err := p.srv.Client().Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	resp.Body.Close()
	if (resp.StatusCode == 200) != (resp.Header.Get("WWW-Authenticate") == "") {
		p.t.Errorf("got %d with %q", resp.StatusCode, resp.Header.Get("WWW-Authenticate"))
	}
	_, challenge, _ = strings.Cut(resp.Header.Get("WWW-Authenticate"), `error="`)
	challenge, _, _ = strings.Cut(challenge, `"`)
	return challenge, resp.Header.Get("DPoP-Nonce")
}

func TestDPoP(t *testing.T) {
	for _, key := range []signer{es256(t), edDSA(t)} {
		both(t, tokentest.Options{DPoP: true}, func(t *testing.T, srv *tokentest.Server) {
			p := prover{t, srv, key, new(int)}
			grant := func() url.Values { return url.Values{"grant_type": {"client_credentials"}} }
			for name, proof := range map[string]string{
				"none":           "",
				"another URL":    p.proof("POST", srv.APIURL(), "", nil),
				"another method": p.proof("GET", srv.TokenURL(), "", nil),
				"old":            p.proof("POST", srv.TokenURL(), "", map[string]any{"iat": time.Now().Add(-time.Hour).Unix()}),
				"no jti":         p.proof("POST", srv.TokenURL(), "", map[string]any{"jti": ""}),
				"another type":   p.key.jwt(t, map[string]any{"jti": "x", "htm": "POST", "htu": srv.TokenURL(), "iat": time.Now().Unix()}, map[string]any{"jwk": p.key.jwk}),
				"forged":         p.proof("POST", srv.TokenURL(), "", nil) + "AA",
			} {
				if r, _ := p.token(grant(), proof); r["error"] != "invalid_dpop_proof" {
					t.Errorf("%s, %s: got %v, want invalid_dpop_proof", key.algorithm, name, r)
				}
			}
			sound := p.proof("POST", srv.TokenURL(), "", nil)
			r, _ := p.token(grant(), sound)
			access, _ := r["access_token"].(string)
			if access == "" || r["token_type"] != "DPoP" {
				t.Fatalf("%s: got %v", key.algorithm, r)
			}
			if r, _ := p.token(grant(), sound); r["error"] != "invalid_dpop_proof" {
				t.Errorf("a proof twice: got %v", r)
			}

			target := srv.APIURL() + "/x"
			thief := prover{t, srv, es256(t), new(int)}
			*thief.n = 1000
			for name, test := range map[string]struct{ scheme, proof, want string }{
				"sound":         {"DPoP", p.proof("GET", target, access, nil), ""},
				"as bearer":     {"Bearer", "", "invalid_token"},
				"without proof": {"DPoP", "", "invalid_dpop_proof"},
				"without ath":   {"DPoP", p.proof("GET", target, "", nil), "invalid_dpop_proof"},
				"with a query":  {"DPoP", p.proof("GET", target+"?q=1", access, nil), "invalid_dpop_proof"},
				"another key":   {"DPoP", thief.proof("GET", target, access, nil), "invalid_token"},
			} {
				if got, _ := p.api(test.scheme, access, test.proof); got != test.want {
					t.Errorf("%s, %s: got %q, want %q", key.algorithm, name, got, test.want)
				}
			}
		})
	}
}

// Each endpoint has nonces of its own, and tells the next one with every answer.
func TestNonces(t *testing.T) {
	srv := newServer(t, tokentest.Options{DPoP: true, Nonces: true})
	p := prover{t, srv, es256(t), new(int)}
	grant := func() url.Values { return url.Values{"grant_type": {"client_credentials"}} }
	r, nonce := p.token(grant(), p.proof("POST", srv.TokenURL(), "", nil))
	if r["error"] != "use_dpop_nonce" || nonce == "" {
		t.Fatalf("got %v, nonce %q", r, nonce)
	}
	r, again := p.token(grant(), p.proof("POST", srv.TokenURL(), "", map[string]any{"nonce": nonce}))
	access, _ := r["access_token"].(string)
	if access == "" || again != nonce {
		t.Fatalf("got %v, nonce %q", r, again)
	}
	target := srv.APIURL() + "/x"
	problem, other := p.api("DPoP", access, p.proof("GET", target, access, map[string]any{"nonce": nonce}))
	if problem != "use_dpop_nonce" || other == nonce {
		t.Errorf("with the nonce of the token endpoint: got %q, nonce %q", problem, other)
	}
	if problem, _ := p.api("DPoP", access, p.proof("GET", target, access, map[string]any{"nonce": other})); problem != "" {
		t.Errorf("got %q", problem)
	}
	srv.NewNonces()
	problem, next := p.api("DPoP", access, p.proof("GET", target, access, map[string]any{"nonce": other}))
	if problem != "use_dpop_nonce" || next == other {
		t.Errorf("with an old nonce: got %q, nonce %q", problem, next)
	}
}

// The refresh token of a client without a secret is bound to the key of its login.
func TestBoundRefreshToken(t *testing.T) {
	for public, want := range map[bool]any{true: "invalid_grant", false: nil} {
		srv := newServer(t, tokentest.Options{DPoP: true, Public: public, Users: map[string]string{"u": "p"}})
		p, other := prover{t, srv, es256(t), new(int)}, prover{t, srv, es256(t), new(int)}
		*other.n = 1000
		send := func(by prover, form url.Values) map[string]any {
			form.Set("client_id", srv.ClientID())
			req, err := http.NewRequest("POST", srv.TokenURL(), strings.NewReader(form.Encode()))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.Header.Set("DPoP", by.proof("POST", srv.TokenURL(), "", nil))
			if !public {
				req.SetBasicAuth(srv.ClientID(), srv.ClientSecret())
			}
			resp, err := srv.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			return members(t, resp)
		}
		login := send(p, url.Values{"grant_type": {"password"}, "username": {"u"}, "password": {"p"}})
		refresh, _ := login["refresh_token"].(string)
		if got := send(other, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}}); got["error"] != want {
			t.Errorf("public %v, with another key: got %v, want %v", public, got, want)
		}
	}
}
