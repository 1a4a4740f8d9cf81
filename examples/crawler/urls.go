package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"example.com/tokenactor/client"
	"example.com/tokenactor/manager"
)

// readList reads the URLs in file, or those of stdin for "-", one a line. # begins a
// comment, at the beginning of a line or after a space.
func readList(file string, stdin io.Reader) (list []string, err error) {
	text, err := os.ReadFile(file)
	if file == "-" {
		text, err = io.ReadAll(stdin)
	}
	if err != nil {
		return nil, err
	}
	var bad []string
	for i, line := range strings.Split(strings.TrimPrefix(string(text), "\ufeff"), "\n") { // Windows begins files with that
		line, _, _ = strings.Cut(strings.ReplaceAll(line, "\t", " "), " #")
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		u, err := url.Parse(line)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || strings.Contains(line, " ") {
			bad = append(bad, fmt.Sprintf("line %d: %q", i+1, line))
			continue
		}
		list = append(list, line)
	}
	switch {
	case len(bad) > 0:
		return nil, fmt.Errorf("%s: %s without an http or https URL%s", file, number(len(bad), "line"), some(bad))
	case len(list) == 0:
		return nil, fmt.Errorf("%s: there is no URL in it", file)
	}
	return list, nil
}

// some is the first ten of a list, in words.
func some(list []string) string {
	const most = 10
	text := "; " + strings.Join(list[:min(len(list), most)], "; ")
	if len(list) > most {
		text += fmt.Sprintf("; and %s more", thousands(len(list)-most))
	}
	return text
}

// number is "1 line" or "1,200 lines".
func number(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return thousands(n) + " " + noun
}

var errProbe = errors.New("not sent")

// A probe is a Source and a Base that have nothing: what a Transport asks of them tells
// where its token would go.
type probe struct{}

func (probe) Token(context.Context) (*manager.Token, error) { return nil, errProbe }
func (probe) Renew(context.Context, *manager.Token) (*manager.Token, error) {
	return nil, errProbe
}
func (probe) RoundTrip(*http.Request) (*http.Response, error) { return nil, errProbe }

// strangers says, before the first request, to which hosts of the list no token goes. The
// error is about hosts.
func strangers(list, hosts []string, out io.Writer) error {
	bare := make(map[string]client.BareReason)
	t := &client.Transport{Source: probe{}, Base: probe{}, Hosts: hosts,
		OnBare: func(origin string, reason client.BareReason) { bare[origin] = reason }}
	seen := make(map[string]bool)
	for _, text := range list {
		u, err := url.Parse(text)
		if err != nil || seen[u.Scheme+u.Host] {
			continue
		}
		seen[u.Scheme+u.Host] = true
		if _, err := t.RoundTrip(&http.Request{Method: http.MethodGet, URL: u, Host: u.Host, Header: http.Header{}}); !errors.Is(err, errProbe) {
			return err
		}
	}
	var lines []string
	for origin, reason := range bare {
		lines = append(lines, fmt.Sprintf("%s (%s)", origin, reason))
	}
	if len(lines) > 0 {
		slices.Sort(lines)
		fmt.Fprintf(out, "note: no token goes to %s of the list, see -hosts%s\n", number(len(lines), "host"), some(lines))
	}
	return nil
}

// rest is what is left to be fetched.
func (c *crawl) rest() []string {
	var left []string
	for _, i := range c.tally.unfetched {
		left = append(left, c.list[i])
	}
	return append(left, c.list[min(int(c.next.Load()), len(c.list)):]...)
}

// keepRest writes it into a file that can be crawled again.
func (c *crawl) keepRest(out io.Writer) error {
	left := c.rest()
	if len(left) == 0 {
		return nil
	}
	file := c.options.rest
	if file == "" {
		file = "crawl.rest"
		if c.urls != "-" {
			file = c.urls + ".rest"
		}
	}
	// 0600: a query may hold secrets.
	if err := os.WriteFile(file, []byte(strings.Join(left, "\n")+"\n"), 0o600); err != nil {
		return fmt.Errorf("%s URLs were not fetched, and could not be written down: %w", thousands(len(left)), err)
	}
	fmt.Fprintf(out, "%10s URLs not fetched, in %s: crawl it again with -urls %s\n", thousands(len(left)), file, file)
	return nil
}
