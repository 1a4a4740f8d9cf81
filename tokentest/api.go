package tokentest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
)

// An Echo is the JSON body of the API's 200. With its sum a test proves that a body which
// was sent again was whole.
type Echo struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	Bytes  int64  `json:"bytes"`            // of the request's body
	SHA256 string `json:"sha256,omitempty"` // of the body, in hex; "" where it has no bytes

	// Of the access token.
	Family int    `json:"family"` // 0: by client_credentials
	Serial int    `json:"serial"` // within the family, from 1
	Scope  string `json:"scope,omitempty"`
}

// A Refusal is what the API says to a request that it does not like. The zero Refusal is
// none.
type Refusal struct {
	Status    int
	Challenge string // the header WWW-Authenticate (RFC 6750, section 3); "": no such header
}

// Refusals for RefuseAPI. InvalidToken is what the API says of a bad token by itself; the
// others are not the token's fault.
var (
	InvalidToken         = Refusal{http.StatusUnauthorized, `Bearer realm="tokentest", error="invalid_token"`}
	InsufficientScope    = Refusal{http.StatusForbidden, `Bearer realm="tokentest", error="insufficient_scope"`}
	InsufficientScope401 = Refusal{http.StatusUnauthorized, `Bearer realm="tokentest", error="insufficient_scope"`} // some do, RFC 6750 or not
	Forbidden            = Refusal{http.StatusForbidden, ""}

	noToken = Refusal{http.StatusUnauthorized, `Bearer realm="tokentest"`} // section 3.1: no error code
)

// RefuseAPI lets the API say r to every request with these paths, good token or not; without
// paths, with any. Of two for one path the later counts, and one for a path before one for
// any, so that RefuseAPI(Refusal{}, "/open") makes an exception. Heal ends it.
func (s *Server) RefuseAPI(r Refusal, paths ...string) {
	if len(paths) == 0 {
		paths = []string{""}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	refusals := map[string]Refusal{}
	if old := s.refusals.Load(); old != nil {
		maps.Copy(refusals, *old)
	}
	for _, path := range paths {
		refusals[path] = r
	}
	s.refusals.Store(&refusals)
}

// serveAPI answers a bad token without reading the body, as servers do that care for their
// own time.
func (s *Server) serveAPI(r *http.Request) answer {
	c := s.newCall(KindAPI, r)
	s.stats.apiCalls.Add(1)
	s.wait(r.Context(), s.opts.APILatency)
	a := s.judge(r, &c)
	if a.dead != nil {
		c.Outcome = OutcomeGone
	} else {
		c.Status, c.Outcome = a.status, outcome(a.status)
		s.stats.judged(a.status)
	}
	a.noted = s.apiCalls.add(c)
	return a
}

func (s *Server) judge(r *http.Request, c *Call) answer {
	if refusal, ok := s.refusal(r.URL.Path); ok {
		return refusal.answer()
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") && !strings.EqualFold(scheme, "DPoP") {
		return noToken.answer()
	}
	t, ok := s.accept(token)
	if t != nil {
		c.Family, c.Serial = t.family.id, t.serial
	}
	if ok && s.opts.RevokeRate > 0 && s.draw() < s.opts.RevokeRate {
		t.revoked.Store(true)
		ok = false
	}
	if !ok {
		return InvalidToken.answer()
	}
	if a, ok := s.bound(r, t, scheme); !ok {
		if a.status == 0 {
			return InvalidToken.answer()
		}
		return s.offer(a, "api")
	}
	echo := Echo{Method: r.Method, Path: c.Path, Family: t.family.id, Serial: t.serial, Scope: t.scope}
	if err := echo.read(r); err != nil {
		return answer{dead: err}
	}
	return s.offer(jsonAnswer(http.StatusOK, echo), "api")
}

func (e *Echo) read(r *http.Request) error {
	if r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	sum := sha256.New()
	n, err := io.Copy(sum, r.Body)
	if err != nil {
		return err
	}
	if r.ContentLength > 0 && n != r.ContentLength {
		return fmt.Errorf("tokentest: body of %d bytes, Content-Length %d", n, r.ContentLength)
	}
	if n > 0 {
		e.Bytes, e.SHA256 = n, hex.EncodeToString(sum.Sum(nil))
	}
	return nil
}

func (s *Server) refusal(path string) (r Refusal, ok bool) {
	m := s.refusals.Load()
	if m == nil {
		return r, false
	}
	if r, ok = (*m)[path]; !ok {
		r = (*m)[""]
	}
	return r, r.Status != 0
}

func (r Refusal) answer() answer {
	a := plain(r.Status, "", "")
	if r.Challenge != "" {
		a.header.Set("WWW-Authenticate", r.Challenge)
	}
	return a
}
