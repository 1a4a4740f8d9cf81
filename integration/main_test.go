package integration

import (
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

var crowdTime = flag.Duration("crowd", 0, "how long the crowds run; 0: 10 s, a minute where CI=true")

func TestMain(m *testing.M) {
	if child(os.Getenv(childVariable)) {
		return
	}
	flag.Parse()
	if *crowdTime == 0 {
		*crowdTime = 10 * time.Second
		if inCI() {
			*crowdTime = time.Minute
		}
	}
	if err := flag.Set("test.parallel", "12"); err != nil { // these tests wait more than they work
		panic(err)
	}
	slog.SetDefault(slog.New(slog.DiscardHandler)) // zitadel logs every request
	code := m.Run()
	printCoverage(os.Stdout)
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}
