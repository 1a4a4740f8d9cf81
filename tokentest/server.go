package tokentest

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// A Server is an authorization server and a protected API. Make one with New.
type Server struct {
	// Written once by New.
	opts    Options
	seed    uint64
	start   time.Time
	client  *family       // family 0: the access tokens of client_credentials
	closedc chan struct{} // closed by Close

	// Free of locks, for the API.
	stats    counters
	calls    journal // of the token and the revocation endpoint
	apiCalls journal
	access   sync.Map     // access token → *access
	cutoff   atomic.Int64 // RevokeAccess: access tokens of this number and below are dead
	draws    atomic.Uint64
	refusals atomic.Pointer[map[string]Refusal] // path, or "" for all
	ids      sync.Map                           // jti of JWTs → struct{}
	epoch    atomic.Int64                       // of nonces
	loopback atomic.Pointer[loopback]           // nil: in memory

	// Never held while anything waits.
	mu       sync.Mutex
	closed   bool
	families []*family // family n is at n-1
	pending  map[string]*pending
	issued   int64 // access tokens so far
	script   []Fault
	always   Fault

	running sync.WaitGroup // calls in memory; Add under mu, before closed
}

// New makes a server that can be reached at once, in memory, through Client. In a
// synctest bubble it must be called inside.
func New(opts Options) *Server {
	s := &Server{
		opts:     opts,
		seed:     opts.Seed,
		start:    opts.now(),
		client:   &family{},
		closedc:  make(chan struct{}),
		pending:  make(map[string]*pending),
		calls:    newJournal(opts.log()),
		apiCalls: newJournal(opts.log()),
	}
	for s.seed == 0 {
		s.seed = rand.Uint64()
	}
	return s
}

// Start lets the server listen on 127.0.0.1, on a port that the system gives. From
// then on its URLs and Client lead there; call it before you hand them out. It fails
// where there is nothing to listen on, the second time, and after Close.
func (s *Server) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.loopback.Load() != nil {
		return errors.New("tokentest: Start: started or closed already")
	}
	l, err := listen(s)
	if err != nil {
		return err
	}
	s.loopback.Store(l)
	return nil
}

// Close ends all calls under way, those in a fault's delay without their work, and
// returns when no goroutine of the server is left. Later calls find nobody listening.
// A second Close does nothing. The error is always nil.
func (s *Server) Close() error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.closedc)
	}
	s.mu.Unlock()
	if l := s.loopback.Load(); l != nil {
		l.close()
	}
	s.running.Wait()
	return nil
}

// URL is the server's address on loopback, such as "http://127.0.0.1:41234", and ""
// in memory.
func (s *Server) URL() string {
	if l := s.loopback.Load(); l != nil {
		return l.url
	}
	return ""
}

// TokenURL is the token endpoint (RFC 6749, section 3.2).
func (s *Server) TokenURL() string { return s.base(authHost) + tokenPath }

// RevokeURL is the revocation endpoint (RFC 7009).
func (s *Server) RevokeURL() string { return s.base(authHost) + revokePath }

// AuthURL is the authorization endpoint (RFC 6749, section 3.1). It answers with a redirect
// at once; see Options.Consent.
func (s *Server) AuthURL() string { return s.base(authHost) + authPath }

// DeviceURL is the device authorization endpoint (RFC 8628); see Decide.
func (s *Server) DeviceURL() string { return s.base(authHost) + devicePath }

// Issuer is the server's name, from which its endpoints can be found (RFC 8414).
func (s *Server) Issuer() string { return s.base(authHost) }

// APIURL is the protected API's address without a slash at its end: the API answers
// at APIURL()+"/" and at any other path. On loopback, where one listener serves both,
// the paths of the authorization server are not the API's.
func (s *Server) APIURL() string { return s.base(apiHost) }

func (s *Server) base(host string) string {
	if url := s.URL(); url != "" {
		return url
	}
	return "https://" + host
}

// ClientID is the client that the token endpoint knows.
func (s *Server) ClientID() string { return s.opts.clientID() }

// ClientSecret is that client's secret.
func (s *Server) ClientSecret() string { return s.opts.clientSecret() }

// Seed is what this server's randomness was drawn from: Options.Seed, or what New drew.
func (s *Server) Seed() uint64 { return s.seed }

func (s *Server) now() time.Time { return s.opts.now() }

// wait returns after d, earlier when ctx ends or the server is closed; it reports
// whether d has passed.
func (s *Server) wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
	case <-s.closedc:
	}
	return false
}

// draw is the next number of the server's sequence in [0, 1).
func (s *Server) draw() float64 { return unit(s.seed, s.draws.Add(1)) }

// unit is number n of the sequence of seed. It is computed from n (splitmix64) rather
// than drawn from a rand.Rand, which would put a lock on the path of every request.
func unit(seed, n uint64) float64 {
	z := seed + n*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	z ^= z >> 31
	return math.Ldexp(float64(z>>11), -53)
}

var _ http.Handler = (*Server)(nil)
