package tokentest

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"
)

const (
	accessPrefix  = "at"
	refreshPrefix = "rt"
)

// tokenName makes the token "rt-3-1-9f86d081884c7d65". Its last part follows from the
// seed and the rest, so that a token can be checked without having been stored.
func (s *Server) tokenName(prefix string, family, serial int) string {
	name := fingerprint(prefix, family, serial)
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %s", s.seed, name))
	return fmt.Sprintf("%s-%x", name, sum[:8])
}

// readName is the reverse of tokenName; ok is false for a token that this server cannot
// have made.
func (s *Server) readName(prefix, token string) (family, serial int, ok bool) {
	parts := strings.Split(token, "-")
	if len(parts) != 4 {
		return 0, 0, false
	}
	family, err1 := strconv.Atoi(parts[1])
	serial, err2 := strconv.Atoi(parts[2])
	if err1 != nil || err2 != nil || family < 1 || serial < 1 {
		return 0, 0, false
	}
	return family, serial, token == s.tokenName(prefix, family, serial)
}

// fingerprint is what a log shows of a token.
func fingerprint(prefix string, family, serial int) string {
	return fmt.Sprintf("%s-%d-%d", prefix, family, serial)
}
