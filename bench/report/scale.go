package report

import (
	"fmt"
	"math"

	"example.com/tokenactor/bench/number"
)

// A percent is a part of a chart's width or height, as SVG writes it.
type percent float64

func (p percent) String() string { return fmt.Sprintf("%.2f%%", float64(p)) }

// logarithmic is the ratio of the greatest to the least from which on an axis is
// logarithmic: small ones could not be told apart on a linear one.
const logarithmic = 20

// zeroLane is the part of a logarithmic axis that is left for zero, which has no
// place on it otherwise.
const zeroLane = 0.12

// A scale maps values to a part of an axis, 0 to 1.
type scale struct {
	log    bool
	lo, hi float64 // log: powers of ten; otherwise lo is 0
	zero   float64 // log: where lo is; 0 itself is at 0
	step   float64 // between two ticks; log: how many powers of ten
}

// A tick is a labelled line across a chart.
type tick struct {
	At    float64 // part of the axis
	Label string  // "": a line only
}

// newScale makes one on which all these have a place. Values are 0 or more.
func newScale(values []float64) scale {
	least, most, zero := math.Inf(1), 0.0, false
	for _, v := range values {
		if v > 0 {
			least, most = min(least, v), max(most, v)
		} else {
			zero = true
		}
	}
	switch {
	case most == 0:
		return scale{hi: 1, step: 1}
	case most/least <= logarithmic:
		step := niceStep(most)
		return scale{hi: step * math.Ceil(most/step*(1-1e-9)), step: step}
	}
	s := scale{log: true, lo: powerOfTen(math.Floor(math.Log10(least))), hi: powerOfTen(math.Ceil(math.Log10(most)))}
	if zero {
		s.zero = zeroLane
	}
	s.step = math.Ceil(s.decades() / labels)
	return s
}

// labels is how many an axis has at most, besides its end: more would touch on a
// phone.
const labels = 4

// niceStep is 1, 2 or 5 times a power of ten, such that labels of them reach v.
func niceStep(v float64) float64 {
	least := v / labels
	power := powerOfTen(math.Floor(math.Log10(least)))
	for _, nice := range []float64{1, 2, 5} {
		if nice*power >= least*(1-1e-9) {
			return nice * power
		}
	}
	return 10 * power
}

func powerOfTen(n float64) float64 { return math.Pow(10, n) }

func (s scale) decades() float64 { return math.Round(math.Log10(s.hi / s.lo)) }

// at gives the part of the axis at which v is.
func (s scale) at(v float64) float64 {
	switch {
	case v <= 0:
		return 0
	case !s.log:
		return v / s.hi
	}
	return s.zero + (1-s.zero)*math.Log10(v/s.lo)/s.decades()
}

func (s scale) ticks() []tick {
	var ticks []tick
	if !s.log {
		for i := 0.0; i*s.step <= s.hi*(1+1e-9); i++ {
			ticks = append(ticks, tick{s.at(i * s.step), number.Short(i * s.step)})
		}
		return ticks
	}
	if s.zero > 0 {
		ticks = append(ticks, tick{0, "0"})
	}
	for i := 0.0; i <= s.decades(); i++ {
		v := s.lo * powerOfTen(i)
		label := ""
		if math.Mod(i, s.step) == 0 {
			label = number.Short(v)
		}
		ticks = append(ticks, tick{s.at(v), label})
	}
	return ticks
}

// note says what is unusual about the axis.
func (s scale) note() string {
	if s.log {
		return ", log scale"
	}
	return ""
}
