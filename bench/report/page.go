package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Write writes the page.
func Write(w io.Writer, p Page) error {
	if err := templates.ExecuteTemplate(w, "page.html.tmpl", newView(&p)); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// A view is a Page as its template shows it.
type view struct {
	*Page
	Standings []standing // by the first metrics
	Behind    []standing // by all metrics
	Sections  []section
}

// A section is a scene.
type section struct {
	Scene
	Graphs []graph
	Shown  []figure
	More   []figure // behind a click
	Cannot []refusal
}

// A figure has the charts of one metric.
type figure struct {
	Metric string
	Panels []panel
}

// A refusal is a reason, and who gave it.
type refusal struct{ Who, Reason string }

// shown is how many charts of a scene stand in view. There are those of its first
// metric, however many they are.
const shown = 6

func newView(p *Page) view {
	v := view{Page: p}
	for _, st := range p.standings() {
		if st.First {
			v.Standings = append(v.Standings, st)
		}
		if st.Behind {
			v.Behind = append(v.Behind, st)
		}
	}
	for i := range p.Scenes {
		v.Sections = append(v.Sections, newSection(&p.Scenes[i]))
	}
	return v
}

func newSection(s *Scene) section {
	sec := section{Scene: *s, Graphs: s.graphs(), Cannot: s.refusals()}
	charts := len(sec.Graphs)
	for i, m := range s.Metrics {
		f := figure{m.label(), s.panels(i)}
		charts += len(f.Panels)
		switch {
		case len(f.Panels) == 0:
		case i == 0 || charts <= shown:
			sec.Shown = append(sec.Shown, f)
		default:
			sec.More = append(sec.More, f)
		}
	}
	if len(s.Loads) == 1 {
		sec.Shown, sec.More = beside(sec.Shown), beside(sec.More)
	}
	return sec
}

// beside puts charts of several metrics into one figure, each with the name of its
// metric, where one load would leave each of them alone.
func beside(figures []figure) []figure {
	if len(figures) < 2 {
		return figures
	}
	all := figure{Metric: figures[0].Panels[0].Title}
	for _, f := range figures {
		panel := f.Panels[0]
		panel.Title = f.Metric
		all.Panels = append(all.Panels, panel)
	}
	return []figure{all}
}

// refusals gives each reason once, with those who gave it.
func (s *Scene) refusals() []refusal {
	var reasons []string
	who := make(map[string][]string)
	for _, l := range s.Loads {
		for _, r := range l.Rows {
			if r.Cannot == "" || slices.Contains(who[r.Cannot], r.Contender) {
				continue
			}
			if who[r.Cannot] == nil {
				reasons = append(reasons, r.Cannot)
			}
			who[r.Cannot] = append(who[r.Cannot], r.Contender)
		}
	}
	var refusals []refusal
	for _, reason := range reasons {
		refusals = append(refusals, refusal{strings.Join(who[reason], ", "), reason})
	}
	return refusals
}
