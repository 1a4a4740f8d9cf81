package report

import (
	"cmp"
	"fmt"
	"slices"

	"example.com/tokenactor/bench/number"
)

// A place is a row and how well it did by one metric.
type place struct {
	Row
	Cell
	rank int  // 1 is best; 0: it does not compete
	tied bool // another has the same rank
}

// rank orders those who have a part in the metric, the best first.
func (l *Load) rank(m Metric, metric int) []place {
	var places []place
	for _, r := range l.Rows {
		if r.Cannot == "" && r.Cells[metric].Runs > 0 {
			places = append(places, place{Row: r, Cell: r.Cells[metric]})
		}
	}
	slices.SortStableFunc(places, func(a, b place) int {
		if m.More {
			a, b = b, a
		}
		return cmp.Compare(a.Median, b.Median)
	})
	better := 0
	var last *place
	for i := range places {
		p := &places[i]
		if p.Yardstick {
			continue
		}
		better++
		p.rank = better
		if last != nil && last.Median == p.Median {
			p.rank, p.tied, last.tied = last.rank, true, true
		}
		last = p
	}
	return places
}

// label is what stands before a name: 1, 2=, or a dash.
func (p place) label() string {
	switch {
	case p.rank == 0:
		return "–"
	case p.tied:
		return fmt.Sprint(p.rank, "=")
	}
	return fmt.Sprint(p.rank)
}

// A Standing is how Ours did by one metric against the best of the others.
type standing struct {
	Scene, Load, Metric string
	Place               string // such as: 2 of 9
	Ours, Best          string // with the unit
	BestName            string // "": no other competes
	Verdict             string
	Behind              bool // by more than the noise
	First               bool // the metric is the scene's first
}

// standings lists how Ours did, by every metric of every load.
func (p *Page) standings() []standing {
	var list []standing
	for _, s := range p.Scenes {
		for _, l := range s.Loads {
			for i, m := range s.Metrics {
				if st, ok := l.standing(m, i); ok {
					st.Scene, st.First = s.Name, i == 0
					list = append(list, st)
				}
			}
		}
	}
	return list
}

func (l *Load) standing(m Metric, metric int) (standing, bool) {
	places := slices.DeleteFunc(l.rank(m, metric), func(p place) bool { return p.Yardstick })
	i := slices.IndexFunc(places, func(p place) bool { return p.Contender == Ours })
	if i < 0 {
		return standing{}, false
	}
	ours := places[i]
	st := standing{
		Load:   l.Title,
		Metric: m.label(),
		Place:  fmt.Sprintf("%s of %d", ours.label(), len(places)),
		Ours:   number.Digits(ours.Median),
	}
	others := slices.Delete(places, i, i+1)
	if len(others) == 0 {
		st.Verdict = "nobody else can"
		return st, true
	}
	best := others[0]
	st.BestName, st.Best = best.Contender, number.Digits(best.Median)
	st.Verdict, st.Behind = l.verdict(m, metric, ours, best)
	return st, true
}

// verdict compares Ours with the best of the others. Where there is no ratio to Ours
// from inside the rounds, the medians are divided.
func (l *Load) verdict(m Metric, metric int, ours, best place) (text string, behind bool) {
	switch {
	case ours.Median == best.Median:
		return "level", false
	case ours.Median == 0 || best.Median == 0:
		behind = (ours.Median == 0) == m.More
		return map[bool]string{false: "ahead", true: "behind"}[behind], behind
	}
	ratio := best.Median / ours.Median
	if l.Reference == Ours && best.Ratio.Runs > 0 {
		ratio = best.Ratio.Median
	}
	if l.Reference == Ours && l.Noise != nil {
		if noise, ok := l.Noise[metric].factor(); ok && 1/noise <= ratio && ratio <= noise {
			return "level: the difference is within the noise", false
		}
	}
	if m.More {
		ratio = 1 / ratio
	}
	if ratio < 1 {
		return number.Digits(1/ratio) + " × behind", true
	}
	return number.Digits(ratio) + " × ahead", false
}
