package tokentest

import "slices"

// Next gives the next calls of the token endpoint a fault each, in the order of their
// arrival, after those which wait already. Next(Fault{}, Lost()) leaves the next call alone
// and loses the one after it.
func (s *Server) Next(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = append(s.script, faults...)
}

// Always gives f to every call of the token endpoint that Next says nothing about.
func (s *Server) Always(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.always = f
}

// Heal ends Next, Always and RefuseAPI. Calls under way keep their fault.
func (s *Server) Heal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script, s.always = nil, Fault{}
	s.refusals.Store(nil)
}

// Times is n times f, for Next: Next(Times(3, Status(503))...).
func Times(n int, f Fault) []Fault { return slices.Repeat([]Fault{f}, n) }

func (s *Server) nextFault(c Call) Fault {
	s.mu.Lock()
	f := s.always
	if len(s.script) > 0 {
		f, s.script = s.script[0], s.script[1:]
	}
	s.mu.Unlock() // before resolve, which calls the user's function
	return f.resolve(c)
}
