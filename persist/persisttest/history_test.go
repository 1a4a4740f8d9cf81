package persisttest

import (
	"errors"
	"strings"
	"testing"

	"example.com/tokenactor/manager"
)

// A history that no right store can leave is found out, by what is wrong with it.
func TestHistory(t *testing.T) {
	unknown := errors.New("the connection broke")
	a, b, c := saving{"a", 0, nil}, saving{"b", 1, nil}, saving{"c", 2, nil}
	with := func(s saving, err error) saving { s.err = err; return s }
	read := func(text string, revision uint64) reading { return reading{text: text, revision: revision} }
	conflict := func(revision uint64) reading { return reading{revision: revision, conflict: true} }
	for name, one := range map[string]struct {
		h    history
		want string // "": nothing is wrong
	}{
		"nothing": {history{}, ""},
		"a chain": {history{savings: []saving{c, a, {"x", 1, manager.ErrConflict}, b},
			readings: [][]reading{{{}, read("a", 1), read("a", 1), read("c", 3)}, {read("b", 2), conflict(3), read("c", 3)}}, last: read("c", 3)}, ""},
		"of unknown fate, stored":        {history{savings: []saving{a, with(b, unknown), c}, last: read("c", 3)}, ""},
		"of unknown fate, read":          {history{savings: []saving{a, with(b, unknown)}, readings: [][]reading{{read("b", 2)}}, last: read("b", 2)}, ""},
		"of unknown fate, not stored":    {history{savings: []saving{a, with(b, unknown)}, last: read("a", 1)}, ""},
		"one of two of unknown fate":     {history{savings: []saving{a, with(b, unknown), {"x", 1, unknown}}, last: read("x", 2)}, ""},
		"two of unknown fate, both read": {history{savings: []saving{a, with(b, unknown), {"x", 1, unknown}}, readings: [][]reading{{read("b", 2)}}, last: read("x", 2)}, "but it is"},
		"of unknown fate, read and lost": {history{savings: []saving{a, with(b, unknown)}, readings: [][]reading{{read("b", 2)}}, last: read("a", 1)}, "is lost"},
		"two have one revision":          {history{savings: []saving{a, b, {"x", 1, nil}}, last: read("b", 2)}, "given out twice"},
		"a saving is lost":               {history{savings: []saving{a, b}, last: read("a", 1)}, "is lost"},
		"all is lost":                    {history{savings: []saving{a}}, "is lost"},
		"a saving is overwritten":        {history{savings: []saving{a, b, with(saving{"x", 1, nil}, unknown)}, last: read("x", 2)}, "but it is"},
		"a conflict is stored":           {history{savings: []saving{a, with(b, manager.ErrConflict)}, last: read("b", 2)}, "answered with ErrConflict"},
		"a conflict is read":             {history{savings: []saving{a, with(b, manager.ErrConflict)}, readings: [][]reading{{read("b", 2)}}, last: read("a", 1)}, "answered with ErrConflict"},
		"a conflict with nothing":        {history{savings: []saving{a}, readings: [][]reading{{read("a", 1), conflict(2), read("a", 1)}}, last: read("a", 1)}, "after revision 2"},
		"back":                           {history{savings: []saving{a, b}, readings: [][]reading{{read("b", 2), read("a", 1)}}, last: read("b", 2)}, "after revision 2"},
		"back to nothing":                {history{savings: []saving{a}, readings: [][]reading{{read("a", 1), {}}}, last: read("a", 1)}, "after revision 1"},
		"out of nowhere":                 {history{savings: []saving{a}, readings: [][]reading{{read("x", 1)}}, last: read("a", 1)}, "nobody wrote that"},
		"the text of another revision":   {history{savings: []saving{a, b}, readings: [][]reading{{read("b", 1)}}, last: read("b", 2)}, "nobody wrote that"},
		"a gap":                          {history{savings: []saving{a, c}, last: read("c", 3)}, "given out to nobody"},
	} {
		t.Run(name, func(t *testing.T) {
			wrong := strings.Join(one.h.check(), "; ")
			if (wrong == "") != (one.want == "") || !strings.Contains(wrong, one.want) {
				t.Errorf("wrong is %q, want %q", wrong, one.want)
			}
		})
	}
}
