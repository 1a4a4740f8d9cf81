package report

import (
	"fmt"
	"io"
	"strings"

	"example.com/tokenactor/bench/number"
)

// Picture writes one SVG file with what a scene is about: what went on over time
// where that was watched, otherwise the charts of its first metric. It reports
// whether there was anything to show; if not, nothing is written.
func Picture(w io.Writer, p Page, s Scene) (bool, error) {
	pic := newPicture(p, s)
	if len(pic.Frames) == 0 {
		return false, nil
	}
	if err := templates.ExecuteTemplate(w, "picture.svg.tmpl", pic); err != nil {
		return false, fmt.Errorf("report: %w", err)
	}
	return true, nil
}

// A picture is the charts of a scene in two columns, between what it is and where
// it comes from.
type picture struct {
	Name, About   string
	Width, Height int
	Frames        []frame
	Lines         []textLine
	Key           int // where the key to bars and marks stands; 0: none
}

// A frame is a chart and where it stands, its title above it.
type frame struct {
	X, Y  int
	Title string
	Panel *panel // or
	Graph *graph
}

func (f frame) Desc() string {
	if f.Graph != nil {
		return f.Graph.Desc
	}
	return f.Title + ": " + f.Panel.Desc
}

func (f frame) height() int {
	if f.Graph != nil {
		return f.Graph.Height
	}
	return f.Panel.Height
}

type textLine struct {
	Y    int
	Text string
}

const (
	margin     = 16
	chartWidth = 400
	chartGap   = 32
	titleRoom  = 24
	lineRoom   = 16
	letter     = 6 // the width of one, about
)

func newPicture(p Page, s Scene) *picture {
	pic := &picture{Name: s.Name, About: s.About}
	for _, g := range s.graphs() {
		pic.Frames = append(pic.Frames, frame{Title: g.Title, Graph: &g})
	}
	if len(pic.Frames) == 0 && len(s.Metrics) > 0 {
		for _, panel := range s.panels(0) {
			pic.Frames = append(pic.Frames, frame{Title: panel.Title, Panel: &panel})
		}
	}
	columns := min(len(pic.Frames), 2)
	pic.Width = 2*margin + columns*chartWidth + max(0, columns-1)*chartGap
	y := pic.write(28+lineRoom, s.About) + 8
	for from := 0; from < len(pic.Frames); from += 2 {
		y += titleRoom
		tallest := 0
		row := pic.Frames[from:min(from+2, len(pic.Frames))]
		for i := range row {
			row[i].X, row[i].Y = margin+i*(chartWidth+chartGap), y
			tallest = max(tallest, row[i].height())
		}
		y += tallest + 8
	}
	if len(pic.Frames) > 0 && pic.Frames[0].Panel != nil {
		pic.Key = y + 12
		y += 28
	}
	if n := s.cannot(); n > 0 {
		y = pic.write(y+lineRoom, "Left out: "+number.Plural(n, "contender")+" that cannot do this.") - lineRoom + 4
	}
	pic.Height = pic.write(y+lineRoom, strings.Join([]string{p.Machine, p.Size, p.Date}, "; "))
	return pic
}

// write breaks a text into lines from y on, and returns where the next would stand.
func (p *picture) write(y int, text string) int {
	room := (p.Width - 2*margin) / letter
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len([]rune(line))+1+len([]rune(word)) > room {
			p.Lines = append(p.Lines, textLine{y, line})
			y, line = y+lineRoom, ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	p.Lines = append(p.Lines, textLine{y, line})
	return y + lineRoom
}

// cannot counts those who cannot do any load of the scene.
func (s *Scene) cannot() int {
	unable := make(map[string]int)
	for _, l := range s.Loads {
		for _, r := range l.Rows {
			if r.Cannot != "" {
				unable[r.Contender]++
			}
		}
	}
	n := 0
	for _, loads := range unable {
		if loads == len(s.Loads) {
			n++
		}
	}
	return n
}
