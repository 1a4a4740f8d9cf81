// Package readme puts measured numbers into a text, or finds that others stand there.
//
// What is between two comments, which a reader does not see, belongs to the results:
//
//	<!-- bench: value read tokenactor 1 ns/op -->1.80<!-- /bench --> ns
//	<!-- bench: ratio read oauth2 1 ns/op -->44<!-- /bench --> times as long
//	<!-- bench: ratio crawl tokenactor/harness 1000 cpu_us/request -->1.03<!-- /bench -->
//	<!-- bench: table read ns/op -->
//	…
//	<!-- /bench -->
//
// The words are those of a result: scene, contender, callers, metric. A ratio is the
// contender's ÷ tokenactor's, or that of the two that are named. A table has a row for
// each contender, in the order of the results, and a column for each number of
// callers.
package readme

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"example.com/tokenactor/bench/number"
)

// A Number is one of the results.
type Number struct {
	Scene, Contender string
	Callers          int
	Metric           string
	Value            float64
}

const (
	opening = "<!-- bench: "
	closing = "<!-- /bench -->"
	ours    = "tokenactor"
)

// Fill gives text with the numbers in their places, and how many places there are.
func Fill(text string, numbers []Number) (filled string, places int, err error) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, opening)
		b.WriteString(before)
		if !found {
			return b.String(), places, nil
		}
		order, rest, found := strings.Cut(rest, " -->")
		old, after, closed := strings.Cut(rest, closing)
		if !found || !closed || strings.Contains(order, "\n") || strings.Contains(old, opening) {
			first, _, _ := strings.Cut(order, "\n")
			return "", 0, fmt.Errorf("readme: %s%s has no %s of its own", opening, first, closing)
		}
		measured, err := write(strings.Fields(order), numbers)
		if err != nil {
			return "", 0, fmt.Errorf("readme: %s%s -->: %w", opening, order, err)
		}
		b.WriteString(opening + order + " -->" + measured + closing)
		text = after
		places++
	}
}

func write(words []string, numbers []Number) (string, error) {
	switch {
	case len(words) == 5 && words[0] == "value":
		v, err := find(numbers, words[1], words[2], words[3], words[4])
		return number.Digits(v), err
	case len(words) == 5 && words[0] == "ratio":
		return ratio(words, numbers)
	case len(words) == 3 && words[0] == "table":
		return table(words[1], words[2], numbers)
	}
	return "", fmt.Errorf("want value or ratio with scene, contender, callers and metric, or table with scene and metric")
}

func find(numbers []Number, scene, contender, callers, metric string) (float64, error) {
	n, err := strconv.Atoi(callers)
	if err != nil {
		return 0, fmt.Errorf("%q is not a number of callers", callers)
	}
	i := slices.IndexFunc(numbers, func(r Number) bool {
		return r.Scene == scene && r.Contender == contender && r.Callers == n && r.Metric == metric
	})
	if i < 0 {
		return 0, fmt.Errorf("the results have no %s of %s in %s with %d", metric, contender, scene, n)
	}
	return numbers[i].Value, nil
}

// ratio has three digits below ten, and no fraction from there on: what one run says
// of another is not more exact.
func ratio(words []string, numbers []Number) (string, error) {
	name, to, two := strings.Cut(words[2], "/")
	if !two {
		to = ours
	}
	v, err := find(numbers, words[1], name, words[3], words[4])
	if err != nil {
		return "", err
	}
	by, err := find(numbers, words[1], to, words[3], words[4])
	if err != nil {
		return "", err
	}
	if by == 0 {
		return "", fmt.Errorf("the %s of %s is 0", words[4], to)
	}
	if r := v / by; r < 9.995 {
		return number.Digits(r), nil
	}
	return number.Digits(float64(int(v/by + 0.5))), nil
}

func table(scene, metric string, numbers []Number) (string, error) {
	var contenders []string
	var loads []int
	cells := make(map[string]map[int]string)
	for _, n := range numbers {
		if n.Scene != scene || n.Metric != metric {
			continue
		}
		if cells[n.Contender] == nil {
			cells[n.Contender] = make(map[int]string)
			contenders = append(contenders, n.Contender)
		}
		if !slices.Contains(loads, n.Callers) {
			loads = append(loads, n.Callers)
		}
		cells[n.Contender][n.Callers] = number.Digits(n.Value)
	}
	if len(contenders) == 0 {
		return "", fmt.Errorf("the results have no %s of %s", metric, scene)
	}
	slices.Sort(loads)
	var b strings.Builder
	b.WriteString("\n| " + metric + " |")
	for _, load := range loads {
		b.WriteString(" " + number.Digits(float64(load)) + " |")
	}
	b.WriteString("\n|---|" + strings.Repeat("---:|", len(loads)) + "\n")
	for _, c := range contenders {
		b.WriteString("| " + c + " |")
		for _, load := range loads {
			cell := cells[c][load]
			if cell == "" {
				cell = "–"
			}
			b.WriteString(" " + cell + " |")
		}
		b.WriteString("\n")
	}
	return b.String(), nil
}
