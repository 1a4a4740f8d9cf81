// Package number writes numbers for people to read.
package number

import (
	"math"
	"strconv"
	"strings"
)

// Digits gives what is worth reading of a number: three digits, and no fraction
// of a hundred or more, nor of a count. Below a tenth two digits are left, so that a
// small number does not look like none. What is not a number at all, such as 0 ÷ 0, is a dash.
func Digits(v float64) string {
	size := math.Abs(v)
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "–"
	case v == math.Trunc(v):
		return group(strconv.FormatFloat(v, 'f', 0, 64))
	case size < 0.1:
		return strconv.FormatFloat(v, 'g', 2, 64)
	case size < 9.995:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case size < 99.95:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return group(strconv.FormatFloat(v, 'f', 0, 64))
}

// group puts commas between groups of three digits.
func group(s string) string {
	sign := ""
	if rest, negative := strings.CutPrefix(s, "-"); negative {
		sign, s = "-", rest
	}
	var groups []string
	for ; len(s) > 3; s = s[:len(s)-3] {
		groups = append([]string{s[len(s)-3:]}, groups...)
	}
	return sign + strings.Join(append([]string{s}, groups...), ",")
}

// Plural gives a count with its noun: 1 caller, 10,000 callers.
func Plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return group(strconv.Itoa(n)) + " " + noun
}

// Short gives a round number in little room, as beside an axis: 20, 1.5k, 10M.
func Short(v float64) string {
	suffix := ""
	switch size := math.Abs(v); {
	case size >= 1e9:
		v, suffix = v/1e9, "G"
	case size >= 1e6:
		v, suffix = v/1e6, "M"
	case size >= 1e3:
		v, suffix = v/1e3, "k"
	}
	return strconv.FormatFloat(v, 'g', 4, 64) + suffix
}
