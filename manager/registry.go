package manager

import (
	"hash/maphash"
	"sync"
)

// A registry holds the credentials of one Manager, by name and by number.
//
// What is large in it, and in the heap of deadlines, has hashes and numbers where
// there could be pointers: with a million credentials in no order, a collection of
// the garbage would spend half its time to follow those.
type registry struct {
	hash func(name string) uint32

	mu          sync.RWMutex
	numbers     map[uint32]int32       // by the hash of the name
	twins       map[string]*Credential // those whose hash another had before them: of a million, a hundred
	credentials []*Credential          // by number; nil: the number is free
	free        []int32
}

func newRegistry() *registry {
	seed := maphash.MakeSeed()
	return &registry{
		hash:        func(name string) uint32 { return uint32(maphash.String(seed, name)) },
		numbers:     make(map[uint32]int32),
		twins:       make(map[string]*Credential),
		credentials: make([]*Credential, 1), // 0 is nobody's number
	}
}

// lookup finds a managed credential; nil: there is none.
func (r *registry) lookup(name string) *Credential {
	h := r.hash(name)
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.find(h, name)
}

func (r *registry) find(h uint32, name string) *Credential {
	if n, ok := r.numbers[h]; ok {
		if c := r.credentials[n]; c.machine.name == name {
			return c
		}
	}
	return r.twins[name]
}

// get gives the credential of that name: one that is there, or else the one that
// create makes.
func (r *registry) get(name string, create func() *Credential) *Credential {
	h := r.hash(name)
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.find(h, name); c != nil {
		return c
	}
	c := create()
	if last := len(r.free) - 1; last >= 0 {
		c.number, r.free = r.free[last], r.free[:last]
		r.credentials[c.number] = c
	} else {
		c.number = int32(len(r.credentials))
		r.credentials = append(r.credentials, c)
	}
	if _, ok := r.numbers[h]; ok {
		r.twins[c.machine.name] = c
	} else {
		r.numbers[h] = c.number
	}
	return c
}

// numbered gives the credential with a number that was given and not taken back.
func (r *registry) numbered(n int32) *Credential {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.credentials[n]
}

// each calls f with every credential.
func (r *registry) each(f func(*Credential)) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, c := range r.credentials {
		if c != nil {
			f(c)
		}
	}
}

// drop takes out a credential, and takes back its number. The loop alone calls it.
func (r *registry) drop(c *Credential) {
	h := r.hash(c.machine.name)
	r.mu.Lock()
	defer r.mu.Unlock()
	n := c.number
	if n == 0 {
		return // it was dropped before
	}
	if r.numbers[h] == n {
		delete(r.numbers, h)
	} else {
		delete(r.twins, c.machine.name)
	}
	r.credentials[n], c.number = nil, 0
	r.free = append(r.free, n)
}
