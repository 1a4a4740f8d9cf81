package integration

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"
)

// The rows of the table: grants, and what else a server may know.
const (
	clientCredentials = "client credentials"
	basicSecret       = "  secret in the header"
	postedSecret      = "  secret in the form"
	privateKeyJWT     = "  private_key_jwt"
	mutualTLS         = "  mTLS, tokens bound to the certificate"
	code              = "authorization code, PKCE"
	device            = "device flow"
	refreshToken      = "refresh token, rotation"
	jwtBearer         = "JWT bearer"
	tokenExchange     = "token exchange"
	password          = "password"
	resourceIndicator = "resource indicators"
	dpop              = "DPoP, nonce required"
	discovery         = "discovery"
	revocation        = "revocation at Forget"
	refusal           = "refusals told apart"
	rotationCrowd     = "100 callers, restarts from the file"
	behindProxy       = "restarted behind a reverse proxy"
	kill              = "kill -9, restarts from the file"
	processes         = "4 processes, one file"
	control           = "control: 100 uncoordinated callers"
)

var rows = []string{
	clientCredentials, basicSecret, postedSecret, privateKeyJWT, mutualTLS, code, device, refreshToken, jwtBearer,
	tokenExchange, password, resourceIndicator, dpop, discovery, revocation, refusal, rotationCrowd, behindProxy, processes, kill, control,
}

// covered is what ran: row and server → how it went.
var covered = struct {
	sync.Mutex
	results map[[2]string]string
}{results: map[[2]string]string{}}

// each runs a test with every server that knows row.
func each(t *testing.T, row string, test func(t *testing.T, k kind)) {
	t.Helper()
	if !slices.Contains(rows, row) {
		t.Fatalf("no row %q", row)
	}
	t.Parallel()
	for _, k := range kinds {
		if k.lacks[row] != "" {
			continue
		}
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			t.Cleanup(func() {
				result := fmt.Sprintf("green, %.1f s", time.Since(began).Seconds())
				switch {
				case t.Failed():
					result = "FAILED"
				case t.Skipped():
					result = "skipped"
				}
				covered.Lock()
				defer covered.Unlock()
				covered.results[[2]string{row, k.name}] = result
			})
			test(t, k)
		})
	}
}

// printCoverage writes the table, and below it what servers lack.
func printCoverage(w io.Writer) {
	covered.Lock()
	defer covered.Unlock()
	table := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprint(table, "\ngrant")
	for _, k := range kinds {
		fmt.Fprint(table, "\t", k.name)
	}
	for _, row := range rows {
		fmt.Fprint(table, "\n", row)
		for _, k := range kinds {
			result := covered.results[[2]string{row, k.name}]
			if result == "" && k.lacks[row] != "" {
				result = "–"
			} else if result == "" {
				result = "not run"
			}
			fmt.Fprint(table, "\t", result)
		}
	}
	fmt.Fprint(table, "\n\n")
	_ = table.Flush()
	for _, k := range kinds {
		for _, row := range rows {
			if reason := k.lacks[row]; reason != "" {
				fmt.Fprintf(w, "– %s: %s: %s\n", k.name, strings.TrimSpace(row), reason)
			}
		}
	}
}
