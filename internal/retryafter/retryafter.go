// Package retryafter reads the header of that name, for the packages that turn an
// HTTP response into an error of a refresh.
package retryafter

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// longest is where a wait is cut: a century, which still fits into times counted in
// nanoseconds.
const longest = 100 * 365 * 24 * time.Hour

// Parse returns how long the server asks to wait: seconds, or the time until a date
// (RFC 9110 section 10.2.3). The date is read by the server's clock, so it is counted
// from the server's own Date where there is one, else from now. Parse returns 0 where
// there is no such header, or none that can be read, or where the time is over.
func Parse(header http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(header.Get("Retry-After"))
	// Some servers send a fraction, which the RFC does not have.
	if n, err := strconv.ParseFloat(value, 64); !math.IsNaN(n) && (err == nil || math.IsInf(n, 0)) {
		n = min(max(n, 0), longest.Seconds())
		return time.Duration(n * float64(time.Second))
	}
	until, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(header.Get("Date")); err == nil {
		now = date
	}
	return min(max(until.Sub(now), 0), longest)
}
