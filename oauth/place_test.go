package oauth_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/oauth"
)

// A proof, byte by byte: what is in it, and what of the URL is not.
func TestDPoPProof(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dpop := oauth.NewDPoP(keyOf(t, "ES256"))
		token := &manager.Token{AccessToken: manager.NewSecret("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"), Type: "dpop"}
		seen := make(map[string]bool)
		for _, test := range []struct{ url, host, want string }{
			{"https://api.example.com/a%2Fb/c?q=1#part", "", "https://api.example.com/a%2Fb/c"},
			{"https://user:pass@api.example.com?", "", "https://api.example.com/"},
			{"https://10.0.0.1/x", "api.example.com", "https://api.example.com/x"},
		} {
			req, err := http.NewRequest("POST", test.url, nil)
			if err != nil {
				t.Fatal(err)
			}
			if test.host != "" {
				req.Host = test.host
			}
			if err := dpop.Put(req, token); err != nil {
				t.Fatal(err)
			}
			if got := req.Header.Get("Authorization"); got != "DPoP "+token.AccessToken.Reveal() {
				t.Errorf("Authorization: got %q", got)
			}
			header, claims := readJWS(t, req.Header.Get("DPoP"))
			if header["typ"] != "dpop+jwt" || header["alg"] != "ES256" || header["kid"] != nil {
				t.Errorf("header: got %v", header)
			}
			jwk := header["jwk"].(map[string]any)
			if len(jwk) != 4 || jwk["kty"] != "EC" || jwk["crv"] != "P-256" {
				t.Errorf("jwk: got %v, want the public part alone", jwk)
			}
			// ath is that of RFC 9449 section 7.1, for the very token.
			if claims["htu"] != test.want || claims["htm"] != "POST" || claims["ath"] != "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo" ||
				claims["iat"] != float64(time.Now().Unix()) || claims["nonce"] != nil {
				t.Errorf("%s: got %v", test.url, claims)
			}
			if id := claims["jti"].(string); len(id) < 16 || seen[id] {
				t.Errorf("jti: got %q, want one of its own", id)
			} else {
				seen[id] = true
			}
		}
	})
}

func readJWS(t *testing.T, jws string) (header, claims map[string]any) {
	t.Helper()
	parts := strings.Split(jws, ".")
	if len(parts) != 3 {
		t.Fatalf("%q has %d parts", jws, len(parts))
	}
	for i, into := range []*map[string]any{&header, &claims} {
		data, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, into); err != nil {
			t.Fatal(err)
		}
	}
	return header, claims
}

// A token that is bound, but whose key is nowhere, is an error and not a 401.
func TestDPoPWithoutKey(t *testing.T) {
	dpop := oauth.NewDPoP(oauth.Key{})
	for name, extra := range map[string]map[string]manager.Secret{
		"no key":       nil,
		"no base64":    {"dpop_private_key": manager.NewSecret("at-%%%")},
		"no key in it": {"dpop_private_key": manager.NewSecret(base64.StdEncoding.EncodeToString([]byte("at-nonsense")))},
	} {
		req, err := http.NewRequest("GET", "https://api.example.com", nil)
		if err != nil {
			t.Fatal(err)
		}
		token := manager.Token{AccessToken: manager.NewSecret("at-1"), Type: "DPoP", Extra: extra}
		if err := dpop.Put(req, &token); err == nil {
			t.Errorf("%s: no error", name)
		} else {
			checkSecrets(t, err)
		}
	}
}

// Where a 401 blames something else, or an API merely says a nonce, nothing is sent again.
func TestDPoPObserve(t *testing.T) {
	for _, test := range []struct {
		status           int
		challenge, nonce string
		want             bool
	}{
		{401, `DPoP error="use_dpop_nonce", error_description="x"`, "n", true},
		{401, `Bearer realm="x", DPoP algs="ES256", error="use_dpop_nonce"`, "n", true},
		{401, `DPoP error="use_dpop_nonce"`, "", false},
		{401, `DPoP error="invalid_token"`, "n", false},
		{401, `DPoP error="invalid_dpop_proof"`, "n", false}, // there is no Date that would explain it
		{403, `DPoP error="use_dpop_nonce"`, "n", false},
		{200, "", "n", false},
	} {
		req, err := http.NewRequest("GET", "https://api.example.com", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp := &http.Response{StatusCode: test.status, Header: http.Header{}, Request: req, Body: io.NopCloser(strings.NewReader(""))}
		resp.Header.Set("WWW-Authenticate", test.challenge)
		if test.nonce != "" {
			resp.Header.Set("DPoP-Nonce", test.nonce)
		}
		if got := oauth.NewDPoP(oauth.Key{}).Observe(resp); got != test.want {
			t.Errorf("%d %s, nonce %q: got %v, want %v", test.status, test.challenge, test.nonce, got, test.want)
		}
	}
	if nonce := nonceAfter(t, "n"); nonce != "n" {
		t.Errorf("the next proof has the nonce %v, want n", nonce)
	}
	if nonce := nonceAfter(t, strings.Repeat("n", 2000)); nonce != nil {
		t.Error("a nonce of 2,000 bytes makes a header that servers refuse")
	}
	if oauth.NewDPoP(oauth.Key{}).Observe(&http.Response{StatusCode: 401}) {
		t.Error("a response to nothing known is to be sent again")
	}
}

// nonceAfter is the nonce of a proof that follows an answer with this one.
func nonceAfter(t *testing.T, nonce string) any {
	t.Helper()
	dpop := oauth.NewDPoP(keyOf(t, "EdDSA"))
	req, err := http.NewRequest("GET", "https://api.example.com", nil)
	if err != nil {
		t.Fatal(err)
	}
	dpop.Observe(&http.Response{StatusCode: 200, Header: http.Header{"Dpop-Nonce": {nonce}}, Request: req})
	if err := dpop.Put(req, &manager.Token{AccessToken: manager.NewSecret("at-1"), Type: "DPoP"}); err != nil {
		t.Fatal(err)
	}
	_, claims := readJWS(t, req.Header.Get("DPoP"))
	return claims["nonce"]
}
