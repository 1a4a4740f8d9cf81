package scene

import (
	"net/http"
	"testing"
	"time"
)

// What takes time in a decorator is seen, and a bare client adds nothing like it.
func TestAddedTimeIsSeen(t *testing.T) {
	const work = 200 * time.Microsecond
	busy := decorator(func(base http.RoundTripper) http.RoundTripper {
		return roundTripper(func(req *http.Request) (*http.Response, error) {
			for start := cpuTime(); cpuTime()-start < work; {
			}
			return base.RoundTrip(req)
		})
	})
	s, err := open(busy, accessToken)
	if err != nil {
		t.Fatal(err)
	}
	got, err := added(t.Context(), s, 0)
	if least := float64(work.Microseconds()); err != nil || got < 0.75*least {
		t.Errorf("a decorator that works for %v adds %v µs, %v", work, got, err)
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
}

func TestInner(t *testing.T) {
	for _, test := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{900, 2, 4, -700}, 3}, {[]float64{9, 1, 2, 3, -9, 2, 50, -70}, 2}} {
		if got := inner(test.values); got != test.want {
			t.Errorf("inner(%v) = %v, want %v", test.values, got, test.want)
		}
	}
}
