package manager_test

import (
	"context"
	"errors"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"example.com/tokenactor/manager"
)

var errFrames = errors.New("looked at")

// A frames is a context whose Err looks at who called. It has ended, so that Token
// asks it once and goes.
type frames struct {
	context.Context
	found, inlined bool // Token was among the callers; without a frame of its own
}

func (f *frames) Err() error {
	pcs := make([]uintptr, 16)
	callers := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs)])
	for more := true; more; {
		var frame runtime.Frame
		frame, more = callers.Next()
		if strings.HasSuffix(frame.Function, ".(*Credential).Token") {
			f.found, f.inlined = true, frame.Func == nil // so package runtime marks what was inlined
		}
	}
	return errFrames
}

// Section 9: reading a token is one atomic load in the caller's own code.
func TestTokenIsInlined(t *testing.T) {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, setting := range info.Settings {
			if (setting.Key == "-race" || setting.Key == "-cover") && setting.Value == "true" {
				t.Logf("built with %s, which makes Token too large to be inlined", setting.Key)
				return
			}
		}
	}
	c := begin(t, manager.Config{}).Manage("billing", &issuer{})
	ctx := &frames{Context: context.Background()}
	if _, err := c.Token(ctx); err != errFrames || !ctx.found {
		t.Fatalf("Token: got error %v, seen among the callers: %v", err, ctx.found)
	}
	if !ctx.inlined {
		t.Error("(*Credential).Token is called, want it inlined: see go build -gcflags=-m=2")
	}
}

// Section 9: and it allocates nothing; neither does a rejection that comes late.
func TestReadAllocatesNothing(t *testing.T) {
	c := begin(t, manager.Config{}).Manage("billing", &issuer{life: time.Hour})
	ctx := context.Background()
	rejected := mustToken(t, c, "T1")
	if _, err := c.Renew(ctx, rejected); err != nil {
		t.Fatal(err)
	}
	for name, read := range map[string]func() (*manager.Token, error){
		"Token": func() (*manager.Token, error) { return c.Token(ctx) },
		"Renew": func() (*manager.Token, error) { return c.Renew(ctx, rejected) },
	} {
		var token *manager.Token
		var err error
		if got := testing.AllocsPerRun(100, func() { token, err = read() }); got != 0 {
			t.Errorf("%s: got %v allocations, want 0", name, got)
		}
		if err != nil || token.AccessToken.Reveal() != "T2" {
			t.Errorf("%s: got %v, %v, want T2", name, token, err)
		}
	}
}
