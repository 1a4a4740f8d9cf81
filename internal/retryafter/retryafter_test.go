package retryafter

import (
	"net/http"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	now := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) string { return now.Add(d).Format(http.TimeFormat) }
	for _, test := range []struct {
		value, date string
		want        time.Duration
	}{
		{"", "", 0},
		{"120", "", 2 * time.Minute},
		{" 7 ", "", 7 * time.Second},
		{"0.5", "", 500 * time.Millisecond},
		{"-7", "", 0},
		{"NaN", "", 0},
		{"1e999", "", longest},
		{"99999999999999999999", "", longest},
		{"soon", "", 0},
		{at(time.Minute), "", time.Minute},
		{at(-time.Minute), "", 0},
		{at(time.Hour), at(time.Hour - 90*time.Second), 90 * time.Second},
		{at(time.Minute), "yesterday", time.Minute},
	} {
		header := http.Header{"Retry-After": {test.value}, "Date": {test.date}}
		if got := Parse(header, now); got != test.want {
			t.Errorf("Retry-After %q, Date %q: got %v, want %v", test.value, test.date, got, test.want)
		}
	}
	if got := Parse(nil, now); got != 0 {
		t.Errorf("no header: got %v, want 0", got)
	}
}

// Whatever a server sends, the wait is no shorter than nothing and no longer than a
// century.
func FuzzParse(f *testing.F) {
	f.Add("120", "Sun, 01 Mar 2026 12:00:00 GMT")
	f.Add("Fri, 31 Dec 9999 23:59:59 GMT", "Mon, 01 Jan 0001 00:00:00 GMT")
	f.Add("-Inf", "")
	f.Fuzz(func(t *testing.T, value, date string) {
		got := Parse(http.Header{"Retry-After": {value}, "Date": {date}}, time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC))
		if got < 0 || got > longest {
			t.Errorf("Retry-After %q, Date %q: got %v", value, date, got)
		}
	})
}
