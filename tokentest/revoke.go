package tokentest

import "net/http"

// serveRevoke is the revocation endpoint (RFC 7009). A refresh token takes its family along,
// an access token goes alone, and one that nobody knows is as good as revoked.
func (s *Server) serveRevoke(r *http.Request) answer {
	c := &tokenCall{server: s, Call: s.newCall(KindRevoke, r)}
	c.form, c.problem = s.readForm(r)
	token := c.form.Get("token")
	if c.problem == "" && token == "" {
		c.problem = "invalid_request"
	}
	var a answer
	if c.problem != "" {
		a = refuse(c, c.problem)
	} else {
		c.Family, c.Serial = s.revoke(token)
		a, c.Outcome = plain(http.StatusOK, "", ""), OutcomeOK
	}
	c.Status = a.status
	a.noted = s.calls.add(c.Call)
	return a
}

// revoke tells which refresh token it was; 0, 0: it was none.
func (s *Server) revoke(token string) (family, serial int) {
	if a, ok := s.accept(token); ok {
		a.revoked.Store(true)
		return 0, 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f, serial := s.findRefresh(token)
	if f == nil {
		return 0, 0
	}
	s.revokeFamily(f)
	return f.id, serial
}
