package report

import (
	"strings"
	"testing"
	"time"
)

// Charts of one metric can be compared: equal numbers are equally long.
func TestPanelsShareAScale(t *testing.T) {
	s := Scene{Name: "read", Metrics: []Metric{{Name: "ns/op", Unit: "ns"}}, Loads: []Load{
		{Title: "1 caller", Rows: []Row{row(Ours, 10)}},
		{Title: "2 callers", Rows: []Row{row(Ours, 10), row("other", 40)}},
	}}
	p := s.panels(0)
	if len(p) != 2 || p[0].Marks[0].At != p[1].Marks[0].At {
		t.Errorf("10 is at %v and at %v", p[0].Marks[0].At, p[1].Marks[0].At)
	}
	if p[1].Marks[0].From == p[1].Marks[0].To {
		t.Error("the rounds differ, and there is no whisker")
	}
	if p[0].ID == p[1].ID {
		t.Errorf("two charts have the id %s", p[0].ID)
	}
}

func TestMarks(t *testing.T) {
	s := Scene{Name: "read", Metrics: []Metric{{Name: "ns/op", Unit: "ns"}}, Loads: []Load{
		{Title: "1 caller", Reference: Ours, Noise: []Stat{{1, 0.5, 1, 5}}, Rows: []Row{row(Ours, 10), row("zero", 0), yardstick(row("limit", 8))}}}}
	p := s.panels(0)[0]
	zero, limit, ours := p.Marks[0], p.Marks[1], p.Marks[2]
	if zero.Bar || !limit.Bar || !ours.Bar {
		t.Errorf("bars: %v %v %v, want a mark for nothing, and bars", zero.Bar, limit.Bar, ours.Bar)
	}
	if zero.Class != "rival" || limit.Class != "yardstick" || ours.Class != "ours" {
		t.Errorf("classes %s, %s, %s", zero.Class, limit.Class, ours.Class)
	}
	if b := p.Band; b == nil || b.From != ours.At/2 || b.From+b.Width != min(100, 2*ours.At) {
		t.Errorf("the noise is %+v around %v, want half and twice that", b, ours.At)
	}
	if !strings.Contains(p.Desc, "tokenactor: 10 (9 – 12) ns/op") {
		t.Errorf("the description lacks the numbers: %s", p.Desc)
	}
}

// One second in a day in which all ask at once is seen.
func TestLinesKeepPeaks(t *testing.T) {
	values := make([]float64, 86_400)
	values[50_001] = 1000
	tops := peaks(values)
	if len(tops) > points || most(tops) != 1000 {
		t.Errorf("%d points of at most %v, want at most %d and 1000", len(tops), most(tops), points)
	}
	l := Load{Title: "1 credential", Watched: Metric{Name: "refreshes/s", Unit: "refreshes/s"}, Lines: []Line{
		{Name: Ours, Step: time.Second, Values: make([]float64, 86_400)}, {Name: "other", Step: time.Second, Values: values}}}
	g := l.graph()
	if last := g.Paths[len(g.Paths)-1]; last.Name != Ours || last.Class != "line0" {
		t.Errorf("on top is %s, want %s", last.Name, Ours)
	}
	if !strings.Contains(g.Axis, "the most of each 5 min") || g.XTicks[4].Label != "24" || g.Across != "time (h)" {
		t.Errorf("axes %q and %q until %s", g.Axis, g.Across, g.XTicks[4].Label)
	}
	if !strings.Contains(g.Desc, "other: at most 1,000, on average 0.012") {
		t.Errorf("the description lacks the numbers: %s", g.Desc)
	}
}

// A chart of one load and several metrics stands beside the others.
func TestSectionShowsFirstThingsFirst(t *testing.T) {
	s := Scene{Name: "stall", Loads: []Load{{Title: "200 callers"}}}
	values := make([]float64, 9)
	for i := range values {
		s.Metrics = append(s.Metrics, Metric{Name: string(rune('a' + i)), Unit: "ms"})
		values[i] = 1
	}
	s.Loads[0].Rows = []Row{row(Ours, values...)}
	sec := newSection(&s)
	if len(sec.Shown) != 1 || len(sec.Shown[0].Panels) != shown || len(sec.More) != 1 || len(sec.More[0].Panels) != 3 {
		t.Fatalf("%d figures in view, %d behind a click", len(sec.Shown), len(sec.More))
	}
	if got := sec.Shown[0].Panels[1].Title; got != "b (ms)" {
		t.Errorf("the second chart is called %q, want its metric", got)
	}
}
