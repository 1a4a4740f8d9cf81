package report

import (
	"embed"
	"html/template"
)

//go:embed *.css *.tmpl
var files embed.FS

// templates escape what they are given, names of contenders among it.
var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"css":     style,
	"label":   Metric.label,
	"columns": columns,
	"up":      func(y int) int { return y - 4 },
	"down":    func(y int) int { return y + 4 },
	"barTop":  func(row int) int { return row + (rowHeight-barHeight)/2 },
	"tickEnd": func(plot int) int { return plot + 4 },
	"labelAt": func(plot int) int { return plot + 16 },
	"axisAt":  func(plot int) int { return plot + 34 },
}).ParseFS(files, "*.tmpl"))

const barHeight = 12

// style gives a style sheet of this package, which needs no escaping.
func style(name string) (template.CSS, error) {
	b, err := files.ReadFile(name)
	return template.CSS(b), err
}

// columns is how many a table has for the metrics.
func columns(metrics []Metric, reference string) int {
	if reference == "" {
		return len(metrics)
	}
	return 2 * len(metrics)
}
