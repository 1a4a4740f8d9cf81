package persist_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist/record"
)

// Random operations on each kind of store, against a map as the model.
func TestModel(t *testing.T) {
	for i, kind := range modelKinds {
		t.Run(kind.name, func(t *testing.T) {
			for seed := range uint64(20) {
				random := rand.New(rand.NewPCG(seed, uint64(i)))
				script := make([]byte, 400)
				for i := range script {
					script[i] = byte(random.Uint32())
				}
				if playModel(t, kind, script); t.Failed() {
					t.Fatalf("seed %d", seed)
				}
			}
		})
	}
}

func FuzzModel(f *testing.F) {
	for i := range modelKinds {
		for seed := range uint64(4) {
			random := rand.New(rand.NewPCG(seed, uint64(i)))
			script := make([]byte, 100)
			for i := range script {
				script[i] = byte(random.Uint32())
			}
			f.Add(uint8(i), script)
		}
	}
	f.Fuzz(func(t *testing.T, kind uint8, script []byte) {
		playModel(t, modelKinds[int(kind)%len(modelKinds)], script[:min(len(script), 200)])
	})
}

var modelKinds = []modelKind{
	{name: "DB", file: true},
	{name: "DB sealed", file: true, sealed: true},
	{name: "DB in quarantine", file: true, quarantine: true},
	{name: "DB sealed, in quarantine", file: true, sealed: true, quarantine: true},
	{name: "DB shared and sealed", file: true, sealed: true, shared: true},
	{name: "Func", rows: true},
	{name: "Func sealed", rows: true, sealed: true},
	{name: "Memory"},
}

// A modelKind is a kind of store: in a file, in rows of a Func, or in memory.
type modelKind struct {
	name                       string
	file, rows                 bool
	sealed, quarantine, shared bool
}

// A play is one script on one store.
type play struct {
	*testing.T
	kind   modelKind
	script *bytes.Reader

	path  string // of the file
	rows  table
	store manager.Store
	keys  []record.Key // the newest first

	// The model: what is stored, and the whole record of each damaged name.
	model   map[string]manager.Snapshot
	damaged map[string][]byte

	written int
}

var modelNames = []string{"a", "b", "a\x00", "\xff", "a much longer name than the others have"}

func playModel(t *testing.T, kind modelKind, script []byte) {
	p := &play{
		T: t, kind: kind, script: bytes.NewReader(script), rows: make(table), path: filepath.Join(t.TempDir(), "tokens.db"),
		model: make(map[string]manager.Snapshot), damaged: make(map[string][]byte),
	}
	if kind.sealed {
		p.keys = []record.Key{testKey(0)}
	}
	p.open()
	defer func() { p.close() }()
	for !t.Failed() {
		what, err := p.script.ReadByte()
		if err == io.EOF {
			break
		}
		switch what % 16 {
		default:
			p.save()
		case 7, 8, 9:
			p.load()
		case 10:
			p.scan()
		case 11:
			p.saveTooLate()
		case 12:
			p.reopen(nil)
		case 13:
			p.rotate()
		case 14:
			p.damage()
		case 15:
			p.heal()
		}
	}
	p.scan()
	p.reopen(nil)
	p.scan()
}

// n draws a number below limit from the script; at its end, zeros.
func (p *play) n(limit int) int {
	b, _ := p.script.ReadByte()
	return int(b) % limit
}

func (p *play) name() string { return modelNames[p.n(len(modelNames))] }

// save saves up to four writes, most of them with the right revision; a name may
// be among them twice.
func (p *play) save() {
	writes := make([]manager.Write, 1+p.n(4))
	want := make([]error, len(writes))
	for i := range writes {
		name := p.name()
		expect := p.model[name].Revision
		if wrong := p.n(8); wrong < 2 {
			expect += uint64(wrong*2) - 1 // below the first revision: the greatest there is
		}
		writes[i] = write(name, expect, p.snapshot())
		switch {
		case p.damaged[name] != nil:
			want[i] = record.ErrDamaged
		case expect != p.model[name].Revision:
			want[i] = manager.ErrConflict
		default:
			p.model[name] = writes[i].Snapshot
		}
	}
	for i, err := range p.store.Save(p.Context(), writes) {
		if !errors.Is(err, want[i]) || (err == nil) != (want[i] == nil) {
			p.Errorf("Save of %q at revision %d: %v, want %v", writes[i].Name, writes[i].Expect, err, want[i])
		}
	}
}

// snapshot makes one that no other is equal to.
func (p *play) snapshot() manager.Snapshot {
	p.written++
	s := token(fmt.Sprint("access ", p.written))
	s.Login, s.Generation = uint64(p.n(3)), uint64(p.n(256))
	what := p.n(32)
	if what&1 != 0 {
		s.Token.RefreshToken = manager.NewSecret(fmt.Sprint("refresh ", p.written))
		s.Token.Extra = map[string]manager.Secret{"id_token": manager.NewSecret(string(make([]byte, 64*p.n(256))))}
	}
	if what&2 != 0 {
		s.Mark = manager.Mark{Owner: [16]byte{1}, Attempt: uint64(p.written), At: time.Unix(int64(p.written), 0).UTC(), Limit: time.Second}
	}
	if what&4 != 0 {
		for i := range 1 + p.n(manager.MaxRefusals) {
			s.Refusals = append(s.Refusals, manager.Refusal{Asker: uint64(i), At: time.Unix(int64(p.written), 1).UTC(), Reason: "refused"})
		}
	}
	if what&16 != 0 {
		at := time.Unix(int64(p.written), 2).UTC()
		s.Asked, s.RetryAt, s.Token.RefreshIn = uint64(p.written), at, time.Minute
		s.Suspicion = manager.Suspicion{Since: at, Last: at, Answers: uint32(p.written), Reason: "suspected"}
	}
	if what&15 == 8 {
		s.Token = manager.Token{} // a tombstone
	}
	return s
}

// saveTooLate saves nothing.
func (p *play) saveTooLate() {
	ctx, cancel := context.WithCancel(p.Context())
	cancel()
	name := p.name()
	if err := p.store.Save(ctx, []manager.Write{write(name, p.model[name].Revision, p.snapshot())})[0]; !errors.Is(err, context.Canceled) {
		p.Errorf("Save with a context that has ended: %v, want context.Canceled", err)
	}
}

func (p *play) load() {
	names := make([]string, 1+p.n(4))
	broken := make(map[string]bool)
	for i := range names {
		names[i] = p.name()
		broken[names[i]] = p.damaged[names[i]] != nil
	}
	got, err := p.store.Load(p.Context(), names)
	p.compare("Load", err, broken)
	for i, name := range names {
		if want := p.model[name]; !reflect.DeepEqual(got[i], want) {
			p.Errorf("Load of %q = %+v, want %+v", name, got[i], want)
		}
	}
}

func (p *play) scan() {
	p.Helper()
	all := make(map[string]manager.Snapshot)
	err := p.store.Scan(p.Context(), func(name string, s manager.Snapshot) error {
		if _, twice := all[name]; twice {
			p.Errorf("Scan told of %q twice", name)
		}
		all[name] = s
		return nil
	})
	broken := make(map[string]bool)
	for name := range p.damaged {
		broken[name] = true
	}
	p.compare("Scan", err, broken)
	if !reflect.DeepEqual(all, p.model) {
		p.Errorf("Scan told of\n%+v, want\n%+v", all, p.model)
	}
}

// compare checks that err is of the broken names, and of damage.
func (p *play) compare(what string, err error, broken map[string]bool) {
	p.Helper()
	any := false
	for name, is := range broken {
		any = any || is
		if is && (err == nil || !bytes.Contains([]byte(err.Error()), fmt.Appendf(nil, "%q", name))) {
			p.Errorf("%s: error %v, want one that names %q", what, err, name)
		}
	}
	if any != (err != nil) || any && !errors.Is(err, record.ErrDamaged) {
		p.Errorf("%s: error %v, with broken names %v", what, err, broken)
	}
}
