package number

import (
	"math"
	"testing"
)

func TestDigits(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 3: "3", -2: "-2", 0.00034: "0.00034", 0.0999: "0.1", 0.336: "0.34", 12.34: "12.3", 999.6: "1,000", 1.8: "1.80", 9.994: "9.99", 9.996: "10.0", 80.04: "80.0",
		99.96: "100", 1234.5: "1,234", 999_999.9: "1,000,000", 86_400_000: "86,400,000", -1234: "-1,234", -0.5: "-0.50",
		math.Inf(1): "–",
	} {
		if got := Digits(v); got != want {
			t.Errorf("Digits(%v) = %q, want %q", v, got, want)
		}
	}
	if got := Digits(math.NaN()); got != "–" {
		t.Errorf("Digits(NaN) = %q, want a dash", got)
	}
}

func TestPlural(t *testing.T) {
	for n, want := range map[int]string{0: "0 callers", 1: "1 caller", 2: "2 callers", 10_000: "10,000 callers"} {
		if got := Plural(n, "caller"); got != want {
			t.Errorf("Plural(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestShort(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.1: "0.1", 20: "20", 100: "100", 1500: "1.5k", 10_000: "10k", 1e6: "1M", 2.5e9: "2.5G"} {
		if got := Short(v); got != want {
			t.Errorf("Short(%v) = %q, want %q", v, got, want)
		}
	}
}
