package persist_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if part := children[os.Getenv(childVariable)]; part != nil {
		part(os.Args[1:])
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}
