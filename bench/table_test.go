package main

import "testing"

func TestDigits(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 0.004: "0.00", 0.336: "0.34", 9.994: "9.99", 9.996: "10.0",
		12.34: "12.3", 99.96: "100", 999.6: "1,000", 1234567: "1,234,567",
	} {
		if got := digits(v); got != want {
			t.Errorf("digits(%v) = %q, want %q", v, got, want)
		}
	}
}

func TestPlural(t *testing.T) {
	for n, want := range map[int]string{1: "1 caller", 2: "2 callers", 10_000: "10,000 callers"} {
		if got := plural(n, "caller"); got != want {
			t.Errorf("plural(%d) = %q, want %q", n, got, want)
		}
	}
}
