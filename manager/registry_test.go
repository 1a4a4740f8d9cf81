package manager

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
)

// TestRegistry adds, finds and drops credentials in no order, beside a map: with
// hashes that hold, with three hashes for all names, and with one.
func TestRegistry(t *testing.T) {
	for _, hashes := range []uint32{1 << 31, 3, 1} {
		t.Run(fmt.Sprint("hashes=", hashes), func(t *testing.T) {
			r := newRegistry()
			hash := r.hash
			r.hash = func(name string) uint32 { return hash(name) % hashes }
			random := rand.New(rand.NewPCG(3, 4))
			model := make(map[string]*Credential)
			for i := range 20_000 {
				name := fmt.Sprint("tenant ", random.IntN(100))
				c, known := model[name]
				if got := r.lookup(name); got != c {
					t.Fatalf("after %d steps lookup of %s gives %p, want %p", i, name, got, c)
				}
				switch {
				case known && random.IntN(2) == 0:
					r.drop(c)
					delete(model, name)
					if c.number != 0 {
						t.Fatalf("a dropped credential has number %d still", c.number)
					}
					r.drop(c) // its second Release
				case known:
					if got := r.get(name, func() *Credential { t.Fatal("a second one was made"); return nil }); got != c {
						t.Fatalf("get of %s gives %p, want the %p that was there", name, got, c)
					}
				default:
					made := &Credential{machine: machine{name: name}}
					if got := r.get(name, func() *Credential { return made }); got != made {
						t.Fatalf("get of %s gives %p, want the new %p", name, got, made)
					}
					model[name] = made
				}
			}
			numbers := make(map[int32]string)
			r.each(func(c *Credential) {
				if other, ok := numbers[c.number]; ok {
					t.Errorf("%s and %s have one number, %d", c.machine.name, other, c.number)
				}
				numbers[c.number] = c.machine.name
				if model[c.machine.name] != c || r.numbered(c.number) != c {
					t.Errorf("%s, number %d, is not the one that was put there", c.machine.name, c.number)
				}
			})
			if len(numbers) != len(model) {
				t.Errorf("each told of %d credentials, want %d", len(numbers), len(model))
			}
			if n := len(r.credentials); n > 101 {
				t.Errorf("there are places for %d credentials where there were never more than 100: numbers are not used again", n)
			}
		})
	}
}

// TestRegistryTogether: of many who ask for one name at once, one makes it.
func TestRegistryTogether(t *testing.T) {
	r := newRegistry()
	var wg sync.WaitGroup
	got := make([]*Credential, 64)
	for i := range got {
		wg.Go(func() {
			for n := range 100 {
				name := fmt.Sprint(n)
				c := r.get(name, func() *Credential { return &Credential{machine: machine{name: name}} })
				if r.lookup(name) != c {
					t.Errorf("lookup and get of %s differ", name)
				}
				got[i] = c
			}
		})
	}
	wg.Wait()
	for _, c := range got {
		if c != got[0] {
			t.Fatalf("two callers got two credentials of one name, %p and %p", c, got[0])
		}
	}
}
