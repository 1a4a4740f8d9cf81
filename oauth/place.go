package oauth

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"example.com/tokenactor/manager"
)

// Put puts token and a proof into req, the copy of a request that is about to be
// sent (RFC 9449 section 7.1). It makes a DPoP a client.Place.
func (d *DPoP) Put(req *http.Request, token *manager.Token) error {
	req.Header["Authorization"] = token.Authorization()
	req.Header.Del("DPoP") // that of the send before
	if !strings.EqualFold(token.Type, "DPoP") {
		return nil
	}
	b := d.state()
	key, err := b.keyOf(token)
	if err == nil && key.IsZero() {
		err = errNoDPoPKey
	}
	if err != nil {
		return err
	}
	access := token.AccessToken.Reveal()
	server := b.apis.at(req.URL)
	proof, err := key.signer().proof(method(req), target(req), access, server.wanted(), time.Now().Add(server.drift.read()))
	if err != nil {
		return err
	}
	req.Header["Authorization"] = []string{"DPoP " + access} // whatever the letters of the type
	req.Header["Dpop"] = []string{proof}
	return nil
}

// Observe learns the nonce and the clock of the server that answered, and reports
// whether the request is to be sent again with the same token, since its proof
// lacked that nonce (RFC 9449 section 9) or had the wrong time. It makes a DPoP a
// client.Observer.
func (d *DPoP) Observe(resp *http.Response) (again bool) {
	if resp.Request == nil || resp.Request.URL == nil {
		return false
	}
	server := d.state().apis.at(resp.Request.URL)
	server.learn(resp.Header)
	if resp.StatusCode != http.StatusUnauthorized {
		return false
	}
	for _, challenge := range resp.Header["Www-Authenticate"] {
		// The code is unlike any other word, and being wrong costs one request.
		switch {
		case strings.Contains(challenge, "use_dpop_nonce"):
			return resp.Header.Get("DPoP-Nonce") != "" // news or not: another request may have learned it first
		case strings.Contains(challenge, "invalid_dpop_proof"):
			// Only here is the Date of an API listened to: another answer may
			// come out of a cache, and be hours old.
			return server.late(resp.Header)
		}
	}
	return false
}

// method is that of req: "" stands for GET.
func method(req *http.Request) string {
	if req.Method == "" {
		return http.MethodGet
	}
	return req.Method
}

// target is the URL as the server sees it.
func target(req *http.Request) *url.URL {
	u := *req.URL
	if req.Host != "" {
		u.Host = req.Host
	}
	return &u
}
