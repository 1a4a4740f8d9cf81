package report

import (
	"fmt"
	"strings"

	"example.com/tokenactor/bench/number"
)

// A panel is the chart of one metric of one load: a row for each contender, the
// best on top, with a bar from zero, or a mark where the axis is logarithmic and
// has no zero to begin at.
type panel struct {
	ID    string // unique in the page
	Title string // of the load
	Desc  string // all of it in words
	Axis  string // the label below
	Noise string // in words; "": not known

	Height int // of the whole
	Plot   int // of the rows
	Ticks  []panelTick
	Marks  []mark
	Band   *band // within it nothing differs from Ours
}

type panelTick struct {
	At      percent
	Label   string
	LabelAt int // down
}

// A mark is a row of the panel.
type mark struct {
	Class      string // ours, rival or yardstick
	Label      string // its place
	Name, Full string
	Value      string
	Tip        string
	Top        int
	Middle     int
	At         percent
	From, To   percent // the whisker, none where both are equal
	Bar        bool
}

// Whisker reports whether the rounds differed.
func (m mark) Whisker() bool { return m.From != m.To }

// TextAt is where the letters of its line stand.
func (m mark) TextAt() int { return m.Middle + 4 }

type band struct{ From, Width percent }

const (
	rowHeight  = 22
	axisHeight = 42
	longest    = 20 // letters of a name for which there is room on a phone
)

// panels makes those of a metric, one for each load, on one scale so that they
// can be compared.
func (s *Scene) panels(metric int) []panel {
	var values []float64
	for _, l := range s.Loads {
		for _, p := range l.rank(s.Metrics[metric], metric) {
			values = append(values, p.Min, p.Median, p.Max)
		}
	}
	if len(values) == 0 {
		return nil
	}
	axis := newScale(values)
	var panels []panel
	for i := range s.Loads {
		if p, ok := s.panel(&s.Loads[i], metric, axis); ok {
			p.ID = fmt.Sprintf("chart-%s-%d-%d", s.Name, metric, i)
			panels = append(panels, p)
		}
	}
	return panels
}

func (s *Scene) panel(l *Load, metric int, axis scale) (panel, bool) {
	m := s.Metrics[metric]
	places := l.rank(m, metric)
	p := panel{
		Title: l.Title,
		Axis:  m.label() + axis.note() + "; " + m.better(),
		Plot:  len(places) * rowHeight,
	}
	p.Height = p.Plot + axisHeight
	var words []string
	for i, place := range places {
		mark := newMark(place, m, axis)
		mark.Top = i * rowHeight
		mark.Middle = mark.Top + rowHeight/2
		p.Marks = append(p.Marks, mark)
		words = append(words, mark.Label+" "+mark.Tip)
	}
	p.Desc = fmt.Sprintf("%s, %s, the best first. %s.", s.Name, p.Axis, strings.Join(words, "; "))
	for _, t := range axis.ticks() {
		p.Ticks = append(p.Ticks, panelTick{percent(100 * t.At), t.Label, p.Plot + 15})
	}
	if l.Noise != nil {
		p.noise(l, metric, axis)
	}
	return p, len(places) > 0
}

func newMark(p place, m Metric, axis scale) mark {
	k := mark{
		Class: "rival",
		Label: p.label(),
		Name:  shorten(p.Contender),
		Full:  p.Contender,
		Value: number.Digits(p.Median),
		Tip:   fmt.Sprintf("%s: %v %s", p.Contender, p.Stat, m.label()),
		At:    percent(100 * axis.at(p.Median)),
		From:  percent(100 * axis.at(p.Min)),
		To:    percent(100 * axis.at(p.Max)),
		Bar:   !axis.log && p.Median > 0, // a bar of nothing could not be seen
	}
	switch {
	case p.Contender == Ours:
		k.Class = "ours"
	case p.Yardstick:
		k.Class = "yardstick"
	}
	return k
}

// noise draws the band around the median of the reference, as wide to either side as
// it was once apart from itself.
func (p *panel) noise(l *Load, metric int, axis scale) {
	factor, ok := l.Noise[metric].factor()
	if !ok {
		return
	}
	p.Noise = fmt.Sprintf("%s against itself: ×%s", l.Reference, number.Digits(factor))
	for _, r := range l.Rows {
		if r.Contender != l.Reference || r.Cannot != "" || factor == 1 {
			continue
		}
		median := r.Cells[metric].Median
		from, to := max(axis.at(median/factor), 0), min(axis.at(median*factor), 1)
		p.Band = &band{percent(100 * from), percent(100 * (to - from))}
	}
}

func shorten(name string) string {
	if letters := []rune(name); len(letters) > longest {
		return string(letters[:longest-1]) + "…"
	}
	return name
}
