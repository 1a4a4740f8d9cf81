package tokentest

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// codeLife is how long a code is good, slowDown what a device that asks too often is to add
// to its interval (RFC 8628, section 3.5).
const (
	codeLife = 10 * time.Minute
	slowDown = 5 * time.Second
)

// pending is a login that is not finished: by a code of RFC 6749, section 4.1, or on another
// device.
type pending struct {
	// Written once.
	scope     string
	expires   time.Time
	device    bool
	userCode  string
	redirect  string
	challenge string // S256
	key       string // dpop_jkt (RFC 9449, section 10); "": not said

	// Guarded by Server.mu.
	used     bool
	family   *family // what the code gave: its second use ends it
	decision string  // "": pending, "ok", or an error code
	polled   time.Time
	interval time.Duration
}

// serveAuthorize is the authorization endpoint (RFC 6749, section 3.1). The user says yes at
// once, unless Options.Consent says otherwise. PKCE is required (RFC 7636).
func (s *Server) serveAuthorize(r *http.Request) answer {
	q := r.URL.Query()
	target, err := url.Parse(q.Get("redirect_uri"))
	if r.Method != http.MethodGet || err != nil || target.Host == "" || q.Get("client_id") != s.ClientID() ||
		q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" || q.Get("code_challenge") == "" {
		return plain(http.StatusBadRequest, "text/plain; charset=utf-8", "tokentest: not an authorization request with PKCE\n")
	}
	back := target.Query()
	back.Set("state", q.Get("state"))
	back.Set("iss", s.Issuer()) // RFC 9207
	if refusal := s.opts.consent(q); refusal != "" {
		back.Set("error", refusal)
	} else {
		back.Set("code", s.begin("code", &pending{
			scope:     q.Get("scope"),
			redirect:  q.Get("redirect_uri"),
			challenge: q.Get("code_challenge"),
			key:       q.Get("dpop_jkt"),
		}))
	}
	target.RawQuery = back.Encode()
	a := plain(http.StatusFound, "", "")
	a.header.Set("Location", target.String())
	return a
}

// serveDevice is the device authorization endpoint (RFC 8628, section 3.1).
func (s *Server) serveDevice(r *http.Request) answer {
	c := &tokenCall{server: s}
	form, problem := s.readForm(r)
	if problem != "" {
		return refuse(c, problem)
	}
	p := &pending{scope: form.Get("scope"), device: true, interval: s.opts.pollInterval()}
	code := s.begin("device", p)
	return secret(jsonAnswer(http.StatusOK, map[string]any{
		"device_code":               code,
		"user_code":                 p.userCode,
		"verification_uri":          s.Issuer() + "/activate",
		"verification_uri_complete": s.Issuer() + "/activate?user_code=" + p.userCode,
		"expires_in":                int(codeLife.Seconds()),
		"interval":                  s.opts.pollInterval().Seconds(),
	}))
}

// begin keeps p under a code of its own.
func (s *Server) begin(kind string, p *pending) (code string) {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	code = s.tokenName(kind, len(s.pending)+1, 1)
	p.expires = now.Add(codeLife)
	p.userCode = strings.ToUpper(code[len(code)-8:])
	s.pending[code] = p
	return code
}

// Decide is what the user of another device says to the code that the program shows (RFC
// 8628, section 3.3): "" for yes, or an error such as "access_denied". It reports whether
// there is such a code.
func (s *Server) Decide(userCode, refusal string) bool {
	if refusal == "" {
		refusal = "ok"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.pending {
		if p.userCode == userCode && p.device {
			p.decision = refusal
			return true
		}
	}
	return false
}

// redeem is RFC 6749, section 4.1.3, with the check of RFC 7636, section 4.6. A code works
// once; its second use ends what the first one gave (section 4.1.2).
func (s *Server) redeem(c *tokenCall) answer {
	p := s.find(c.form.Get("code"))
	sum := sha256.Sum256([]byte(c.form.Get("code_verifier")))
	if p == nil || p.device || p.redirect != c.form.Get("redirect_uri") ||
		p.challenge != base64.RawURLEncoding.EncodeToString(sum[:]) || p.key != "" && p.key != c.key {
		return refuse(c, "invalid_grant")
	}
	s.mu.Lock()
	used := p.used
	p.used = true
	if p.family != nil {
		s.revokeFamily(p.family)
	}
	s.mu.Unlock()
	if used || s.now().After(p.expires) {
		return refuse(c, "invalid_grant")
	}
	a := s.grantLogin(c, p.scope)
	s.mu.Lock()
	p.family = a.granted.family
	s.mu.Unlock()
	return a
}

// poll is RFC 8628, section 3.4.
func (s *Server) poll(c *tokenCall) answer {
	p := s.find(c.form.Get("device_code"))
	if p == nil || !p.device {
		return refuse(c, "invalid_grant")
	}
	now := s.now()
	s.mu.Lock()
	early := !p.polled.IsZero() && now.Sub(p.polled) < p.interval
	p.polled = now
	if early {
		p.interval += slowDown
	}
	decision := p.decision
	if decision == "ok" && !early {
		p.decision = "invalid_grant" // it works once
	}
	s.mu.Unlock()
	switch {
	case now.After(p.expires):
		return refuse(c, "expired_token")
	case early:
		return refuse(c, "slow_down")
	case decision == "":
		return refuse(c, "authorization_pending")
	case decision != "ok":
		return refuse(c, decision)
	}
	return s.grantLogin(c, p.scope)
}

func (s *Server) find(code string) *pending {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pending[code]
}

// serveMetadata is RFC 8414.
func (s *Server) serveMetadata(*http.Request) answer {
	issuer := s.Issuer()
	a := jsonAnswer(http.StatusOK, map[string]any{
		"issuer":                                         issuer,
		"authorization_endpoint":                         s.AuthURL(),
		"token_endpoint":                                 s.TokenURL(),
		"device_authorization_endpoint":                  s.DeviceURL(),
		"revocation_endpoint":                            s.RevokeURL(),
		"response_types_supported":                       []string{"code"},
		"code_challenge_methods_supported":               []string{"S256"},
		"authorization_response_iss_parameter_supported": true,
	})
	a.header.Set("Cache-Control", "max-age=3600")
	return a
}
