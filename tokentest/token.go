package tokentest

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// tokenCall is a call of the token endpoint on its way through the faults.
type tokenCall struct {
	Call
	server  *Server
	form    url.Values
	problem string // why the request itself is refused; "": it is sound

	// Asked for by faults, heeded by work.
	keepRefresh bool
	keepAccess  bool
	expiresIn   any

	key   string         // thumbprint of its DPoP key; "": none
	extra map[string]any // members of the answer besides
}

// serveToken is the token endpoint (RFC 6749, section 3.2).
func (s *Server) serveToken(r *http.Request) answer {
	c := &tokenCall{server: s, Call: s.newCall(KindToken, r)}
	c.form, c.problem = s.readForm(r)
	s.proofOf(c, r)
	c.Grant = c.form.Get("grant_type")
	if c.Grant == "refresh_token" {
		c.Family, c.Serial, _ = s.RefreshState(c.form.Get("refresh_token"))
	}
	fault := s.nextFault(c.Call)
	c.Fault = fault.name
	if fault.unsent {
		c.Outcome = OutcomeNotSent
		return answer{dead: errRefused, noted: s.calls.add(c.Call)}
	}

	s.stats.enterToken()
	a := s.offer(fault.around(work)(r.Context(), c), "token")
	s.wait(r.Context(), s.opts.Latency)
	s.stats.leaveToken()

	switch {
	case c.Outcome == OutcomeGone:
	case a.dead != nil || a.lost:
		c.Outcome = OutcomeLost
	case c.Outcome == "":
		c.Outcome = outcome(a.status)
	}
	c.Status = a.status
	if a.lost {
		s.lose(a.granted)
	}
	a.noted = s.calls.add(c.Call)
	return a
}

// work is what an authorization server does with a token call when nothing goes wrong.
func work(_ context.Context, c *tokenCall) answer {
	switch {
	case c.problem != "":
		return refuse(c, c.problem)
	case c.Grant == "client_credentials":
		return c.server.grantClient(c)
	case c.Grant == "refresh_token":
		return c.server.refresh(c)
	case c.Grant == "authorization_code":
		return c.server.redeem(c)
	case c.Grant == deviceCode:
		return c.server.poll(c)
	case c.Grant == jwtBearer:
		return c.server.bearAssertion(c)
	case c.Grant == tokenExchange:
		return c.server.exchange(c)
	case c.Grant == "password" && c.server.opts.Users != nil:
		return c.server.password(c)
	}
	return refuse(c, "unsupported_grant_type")
}

// grantClient is RFC 6749, section 4.4: any scope, and no refresh token.
func (s *Server) grantClient(c *tokenCall) answer {
	now, scope := s.now(), c.form.Get("scope")
	s.mu.Lock()
	token := s.issueAccess(s.client, scope, c.key, now)
	s.mu.Unlock()
	s.stats.clientGrants.Add(1)
	a := jsonAnswer(http.StatusOK, s.members(c, token, scope))
	a.granted = &granted{family: s.client}
	return secret(a)
}

// refresh is RFC 6749, section 6, with the rotation and reuse detection of RFC 9700,
// section 4.14.2.
func (s *Server) refresh(c *tokenCall) answer {
	token := c.form.Get("refresh_token")
	if token == "" {
		return refuse(c, "invalid_request")
	}
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	f, serial := s.findRefresh(token)
	switch {
	case f == nil:
		return refuse(c, "invalid_grant")
	case serial < f.serial:
		s.stats.reuses.Add(1)
		if !s.opts.NoReuseDetection {
			f.byReuse = f.byReuse || !f.revoked.Load()
			s.revokeFamily(f)
		}
		a := refuse(c, "invalid_grant")
		c.Outcome = OutcomeReuse
		return a
	case !f.accepts(serial, now), f.key != "" && f.key != c.key:
		return refuse(c, "invalid_grant")
	}
	scope, ok := narrow(f.scope, c.form.Get("scope"))
	if !ok {
		return refuse(c, "invalid_scope")
	}

	s.stats.refreshes.Add(1)
	g := &granted{family: f}
	access := f.newest
	if !c.keepAccess {
		access = s.issueAccess(f, scope, c.key, now)
	}
	members := s.members(c, access, scope)
	if !c.keepRefresh && !s.opts.NoRotation {
		members["refresh_token"] = s.issueRefresh(f, now)
		g.serial = f.serial
		s.dates(members)
	}
	a := jsonAnswer(http.StatusOK, members)
	a.granted = g
	return secret(a)
}

// members are those of RFC 6749, section 5.1.
func (s *Server) members(c *tokenCall, access, scope string) map[string]any {
	m := map[string]any{"access_token": access, "token_type": "Bearer"}
	if v, ok := s.opts.expiresIn(c.expiresIn); ok {
		m["expires_in"] = v
	}
	if scope != "" {
		m["scope"] = scope
	}
	if c.key != "" {
		m["token_type"] = "DPoP"
	}
	maps.Copy(m, c.extra)
	return m
}

// secret sets what RFC 6749, section 5.1, asks of every answer with a token in it.
func secret(a answer) answer {
	a.header.Set("Cache-Control", "no-store")
	a.header.Set("Pragma", "no-cache")
	return a
}

// refuse is RFC 6749, section 5.2.
func refuse(c *tokenCall, code string) answer {
	c.Outcome = code
	status := http.StatusBadRequest
	if code == "invalid_client" {
		status = http.StatusUnauthorized
	}
	a := jsonAnswer(status, map[string]string{"error": code})
	if code == "invalid_client" {
		a.header.Set("WWW-Authenticate", `Basic realm="tokentest"`)
	}
	return secret(a)
}

// narrow is the scope of a refresh: what was asked for, within what was granted.
func narrow(granted, asked string) (scope string, ok bool) {
	if asked == "" {
		return granted, true
	}
	had := strings.Fields(granted)
	for _, one := range strings.Fields(asked) {
		if !slices.Contains(had, one) {
			return "", false
		}
	}
	return asked, true
}
