package tokentest

import (
	"crypto/subtle"
	"io"
	"mime"
	"net/http"
	"net/url"
)

// readForm reads the body of a request to the authorization server whole, before anything
// waits. problem is an error code of RFC 6749, section 5.2, "" for a sound request of the
// right client.
func (s *Server) readForm(r *http.Request) (form url.Values, problem string) {
	const limit = 1 << 20
	if r.Method != http.MethodPost || r.Body == nil {
		return nil, "invalid_request"
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, limit))
	if err != nil {
		return nil, "invalid_request"
	}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	form, err = url.ParseQuery(string(body))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, "invalid_request"
	}
	for name, values := range form {
		if len(values) > 1 && !repeatable(name) { // section 3.2: not more than once
			return form, "invalid_request"
		}
	}
	return form, s.authenticate(r, form)
}

// authenticate is RFC 6749, section 2.3.1: the Basic scheme with both parts form-encoded, or
// the form, not both.
func (s *Server) authenticate(r *http.Request, form url.Values) (problem string) {
	id, secret := form.Get("client_id"), form.Get("client_secret")
	if user, password, ok := r.BasicAuth(); ok {
		var err1, err2 error
		if user, err1 = url.QueryUnescape(user); err1 != nil {
			return "invalid_client"
		}
		if password, err2 = url.QueryUnescape(password); err2 != nil {
			return "invalid_client"
		}
		if secret != "" || id != "" && id != user {
			return "invalid_request"
		}
		id, secret = user, password
	}
	switch grant := form.Get("grant_type"); {
	case id == "" && (grant == jwtBearer || grant == tokenExchange):
		return "" // who it is, the assertion says (RFC 7521, section 4.1)
	case s.opts.ClientKey != nil:
		return s.authenticateJWT(id, form)
	case s.opts.Public && id == s.ClientID() && secret == "":
		return ""
	}
	if s.opts.Public || id != s.ClientID() || subtle.ConstantTimeCompare([]byte(secret), []byte(s.ClientSecret())) == 0 {
		return "invalid_client"
	}
	return ""
}

// authenticateJWT is RFC 7523, section 2.2.
func (s *Server) authenticateJWT(id string, form url.Values) (problem string) {
	if form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" || id != s.ClientID() {
		return "invalid_client"
	}
	t, err := readJWT(form.Get("client_assertion"), s.opts.ClientKey)
	if err != nil || t.claims.Issuer != id || t.claims.Subject != id || t.claims.ID == "" || !s.fits(t, s.Issuer(), s.TokenURL()) {
		return "invalid_client"
	}
	return ""
}
