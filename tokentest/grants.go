package tokentest

import (
	"net/http"
	"slices"
)

// grantTypes are those of RFC 7523, 8693 and 8628.
const (
	jwtBearer     = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	tokenExchange = "urn:ietf:params:oauth:grant-type:token-exchange"
	deviceCode    = "urn:ietf:params:oauth:grant-type:device_code"
)

// bearAssertion is RFC 7523, section 2.1.
func (s *Server) bearAssertion(c *tokenCall) answer {
	if s.opts.AssertionKey == nil {
		return refuse(c, "unsupported_grant_type")
	}
	t, err := readJWT(c.form.Get("assertion"), s.opts.AssertionKey)
	if err != nil || t.claims.Issuer == "" || !s.fits(t, s.Issuer(), s.TokenURL()) {
		return refuse(c, "invalid_grant")
	}
	return s.grantClient(c)
}

// exchange is RFC 8693: an access token of this server, alive, becomes another.
func (s *Server) exchange(c *tokenCall) answer {
	if c.form.Get("subject_token_type") == "" {
		return refuse(c, "invalid_request")
	}
	if _, ok := s.accept(c.form.Get("subject_token")); !ok {
		return refuse(c, "invalid_request") // section 2.2.2
	}
	c.extra = map[string]any{"issued_token_type": "urn:ietf:params:oauth:token-type:access_token"}
	return s.grantClient(c)
}

// password is RFC 6749, section 4.3.
func (s *Server) password(c *tokenCall) answer {
	known, ok := s.opts.Users[c.form.Get("username")]
	if !ok || known != c.form.Get("password") {
		return refuse(c, "invalid_grant")
	}
	return s.grantLogin(c, c.form.Get("scope"))
}

// grantLogin answers with the tokens of a new family.
func (s *Server) grantLogin(c *tokenCall, scope string) answer {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.newFamily(scope)
	if s.opts.public() {
		f.key = c.key // RFC 9449, section 5
	}
	access := s.issueAccess(f, scope, c.key, now)
	members := s.members(c, access, scope)
	members["refresh_token"] = s.issueRefresh(f, now)
	s.dates(members)
	a := jsonAnswer(http.StatusOK, members)
	a.granted = &granted{family: f, serial: f.serial}
	return secret(a)
}

// dates says how long a refresh token lives, where it does not live for ever.
func (s *Server) dates(members map[string]any) {
	if life := s.opts.RefreshLife; life > 0 {
		members["refresh_expires_in"] = int64(life.Seconds())
	}
}

// many are the parameters that may come more than once (RFC 8693 and 8707, section 2).
var many = []string{"resource", "audience"}

func repeatable(name string) bool { return slices.Contains(many, name) }
