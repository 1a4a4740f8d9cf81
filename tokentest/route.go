package tokentest

import "net/http"

// In memory the two servers have a name each; only reserved ones (RFC 2606).
const (
	authHost = "auth.example.com"
	apiHost  = "api.example.com"

	tokenPath  = "/token"
	revokePath = "/revoke"
	authPath   = "/authorize"
	devicePath = "/device"

	metadataPath = "/.well-known/oauth-authorization-server"
)

type endpoint func(*http.Request) answer

// route finds the endpoint of a path. A host other than the two is loopback's, where one
// listener serves both.
func (s *Server) route(host, path string) endpoint {
	switch {
	case host == apiHost:
		return s.serveAPI
	case path == tokenPath:
		return s.serveToken
	case path == revokePath:
		return s.serveRevoke
	case path == authPath:
		return s.serveAuthorize
	case path == devicePath:
		return s.serveDevice
	case path == metadataPath:
		return s.serveMetadata
	case host == authHost:
		return notFound
	}
	return s.serveAPI
}

func notFound(*http.Request) answer {
	return plain(http.StatusNotFound, "text/plain; charset=utf-8", "tokentest: no such endpoint\n")
}

// ServeHTTP serves both the authorization server and the API, for those who bring a listener
// of their own: the token endpoint is at /token, the others at /revoke, /authorize, /device and
// /.well-known/oauth-authorization-server, and the API at every other path.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := s.route(r.Host, r.URL.Path)(r)
	if r.Context().Err() != nil {
		s.undelivered(a)
	}
	a.write(w, s.now())
}

// undelivered takes back what the log and the family say of an answer whose caller had left.
func (s *Server) undelivered(a answer) {
	if a.granted != nil && !a.lost {
		s.lose(a.granted)
	}
	if a.dead == nil {
		a.noted.gone()
	}
}

func (s *Server) lose(g *granted) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g.family.lost = max(g.family.lost, g.serial)
	s.stats.answersLost.Add(1)
}
