package report

import (
	"encoding/xml"
	"flag"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the files in testdata anew")

// An element is a parsed document, or a part of one.
type element struct {
	name  string
	attr  map[string]string
	text  string // its own and that of all inside
	inner []*element
}

// parse reads a document that must be well-formed, and calls visit for each element,
// those inside first.
func parse(t *testing.T, document string, visit func(e *element)) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(document))
	stack := []*element{{}}
	for {
		token, err := d.Token()
		if err == io.EOF && len(stack) == 1 {
			return
		}
		if err != nil {
			t.Fatalf("not well-formed: %v\n%s", err, document)
		}
		top := stack[len(stack)-1]
		switch token := token.(type) {
		case xml.StartElement:
			e := &element{name: token.Name.Local, attr: make(map[string]string)}
			for _, a := range token.Attr {
				e.attr[a.Name.Local] = a.Value
			}
			top.inner = append(top.inner, e)
			stack = append(stack, e)
		case xml.CharData:
			top.text += string(token)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
			stack[len(stack)-1].text += top.text
			visit(top)
		}
	}
}

// within lists the elements with that attribute in e.
func (e *element) within(attr, value string) []*element {
	var found []*element
	for _, in := range e.inner {
		if slices.Contains(strings.Fields(in.attr[attr]), value) {
			found = append(found, in)
		}
		found = append(found, in.within(attr, value)...)
	}
	return found
}

// elsewhere finds what a browser would fetch.
var elsewhere = regexp.MustCompile(`@import|url\([^#]`)

// checkDocument looks at what holds for the page and for the pictures, and returns how
// many charts there are.
func checkDocument(t *testing.T, document string) (charts int) {
	t.Helper()
	ids := make(map[string]string)
	var labelled []*element
	parse(t, document, func(e *element) {
		if id := e.attr["id"]; id != "" {
			if _, twice := ids[id]; twice {
				t.Errorf("two elements have the id %s", id)
			}
			ids[id] = e.text
		}
		if e.attr["role"] == "img" {
			labelled = append(labelled, e)
		}
		for name, value := range e.attr {
			if strings.HasPrefix(name, "on") || name == "src" || name == "href" && !strings.HasPrefix(value, "#") || elsewhere.MatchString(value) {
				t.Errorf("<%s %s=%q> runs or fetches something", e.name, name, value)
			}
		}
		switch e.name {
		case "script", "link", "img", "image", "iframe", "object", "foreignObject", "use":
			t.Errorf("there is a <%s>", e.name)
		case "style":
			if elsewhere.MatchString(e.text) {
				t.Errorf("the style fetches something: %s", e.text)
			}
		}
	})
	for _, e := range labelled {
		for _, id := range strings.Fields(e.attr["aria-labelledby"]) {
			if strings.TrimSpace(ids[id]) == "" {
				t.Errorf("a chart has nothing in its %s", id)
			}
		}
		if len(strings.Fields(e.attr["aria-labelledby"])) != 2 || len(e.within("class", "tick")) == 0 {
			t.Errorf("a chart without title, description or ticks: %v", e.attr)
		}
		for _, axis := range e.within("class", "axis") {
			if !regexp.MustCompile(`ns/op|saves/s|load_s \(s\)|refreshes|time \(h\)`).MatchString(axis.text) {
				t.Errorf("an axis without a unit: %q", axis.text)
			}
		}
		charts++
	}
	return charts
}

func write(t *testing.T, p Page) string {
	t.Helper()
	var b strings.Builder
	if err := Write(&b, p); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPage(t *testing.T) {
	document := write(t, sample())
	// read 2, persist 2, late 1, alone 1, simulate 1 and its graph
	if got := checkDocument(t, document); got != 8 {
		t.Errorf("%d charts, want 8", got)
	}
	var names []string
	parse(t, document, func(e *element) {
		if e.attr["role"] != "img" {
			return
		}
		for _, ours := range e.within("class", "name-ours") {
			names = append(names, ours.text)
		}
	})
	if want := slices.Repeat([]string{Ours}, 7); !slices.Equal(names, want) {
		t.Errorf("highlighted are %q, want %q: once in each chart of a metric", names, want)
	}
	for _, want := range []string{"<b>unable</b>", "a processor, 2 procs", "medians of 5 rounds", "yardstick", "Starting 1 goroutine takes 1µs."} {
		if !strings.Contains(document, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

// A page of a run without Ours, or of nothing at all, is a page.
func TestPageOfLittle(t *testing.T) {
	for _, p := range []Page{{}, {Scenes: []Scene{{Name: "read", Metrics: []Metric{{Name: "ns/op", Unit: "ns"}},
		Loads: []Load{{Title: "1 caller", Reference: "other", Rows: []Row{row("other", 3)}}}}}}} {
		document := write(t, p)
		checkDocument(t, document)
		if !strings.Contains(document, "was not part of this run") {
			t.Error("the page does not say that tokenactor is missing")
		}
	}
}

// Ratios to zero are not numbers, and are not shown as such.
func TestStat(t *testing.T) {
	nan := math.NaN()
	for s, want := range map[Stat]string{
		{}: "–", {1.5, 1.5, 1.5, 3}: "1.50", {1.5, 1, 2, 3}: "1.50 (1 – 2)", {math.Inf(1), 2, math.Inf(1), 3}: "–", {nan, nan, nan, 3}: "–",
	} {
		if got := s.String(); got != want {
			t.Errorf("%+v is shown as %q, want %q", [3]float64{s.Median, s.Min, s.Max}, got, want)
		}
	}
}

// What others named is text, wherever it stands: checkDocument finds no script, and
// each place shows it.
func TestNamesAreEscaped(t *testing.T) {
	seen := make(map[string]bool)
	parse(t, write(t, sample()), func(e *element) {
		if strings.Contains(e.text, hostile) {
			seen[e.name] = true
		}
	})
	for _, name := range []string{"td", "th", "p", "li", "title", "desc", "code", "text"} {
		if !seen[name] {
			t.Errorf("no <%s> shows %s; those that do: %v", name, hostile, slices.Sorted(maps.Keys(seen)))
		}
	}
}

func TestPictures(t *testing.T) {
	p := sample()
	for _, s := range p.Scenes {
		t.Run(s.Name, func(t *testing.T) {
			var b strings.Builder
			some, err := Picture(&b, p, s)
			if err != nil {
				t.Fatal(err)
			}
			if s.Name == "nobody" {
				if some || b.Len() > 0 {
					t.Errorf("a picture of nothing: %s", b.String())
				}
				return
			}
			if got := checkDocument(t, b.String()); got != 1 || !some {
				t.Errorf("%d pictures in one, %v", got, some)
			}
			if s.Name == "late" {
				golden(t, "late.svg", b.String())
			}
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; look at it, then go test ./report -update\n%s", file, got)
	}
}
