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
	for _, values := range form {
		if len(values) > 1 { // section 3.2: not more than once
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
	if id != s.ClientID() || subtle.ConstantTimeCompare([]byte(secret), []byte(s.ClientSecret())) == 0 {
		return "invalid_client"
	}
	return ""
}
