package main

import (
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"example.com/tokenactor/bench/readme"
)

var update = flag.Bool("update", false, "write the numbers of results/full.json into the README")

const (
	readmeFile  = "../README.md"
	resultsFile = "results/full.json"
)

// The README's numbers are those of the recorded run.
//
//	go -C bench test -run TestReadme . -update
//
// puts them there. To check use -count=1: the README lies outside this module, and a
// test that has passed is not run again for it.
func TestReadmeHasTheRecordedNumbers(t *testing.T) {
	text, err := os.ReadFile(readmeFile)
	if err != nil {
		t.Fatal(err)
	}
	numbers, err := recorded(resultsFile)
	if errors.Is(err, fs.ErrNotExist) {
		if _, places, err := readme.Fill(string(text), nil); places > 0 || err != nil {
			t.Fatalf("the README has numbers, and %s is not there (%v)", resultsFile, err)
		}
		t.Skipf("no run is recorded in %s, and the README has no numbers of one", resultsFile)
	}
	if err != nil {
		t.Fatal(err)
	}
	filled, places, err := readme.Fill(string(text), numbers)
	switch {
	case err != nil:
		t.Fatal(err)
	case places == 0:
		t.Fatalf("%s is there, and the README has no place for its numbers: <!-- bench: … -->", resultsFile)
	case filled == string(text):
		return
	case *update:
		if err := os.WriteFile(readmeFile, []byte(filled), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("the README's numbers are not those of %s; go -C bench test -run TestReadme . -update writes them", resultsFile)
}

// The pictures that the README shows are there.
func TestReadmeShowsPicturesThatExist(t *testing.T) {
	text, err := os.ReadFile(readmeFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, picture := range regexp.MustCompile(`bench/results/[\w.-]+\.svg`).FindAllString(string(text), -1) {
		if _, err := os.Stat(filepath.Join("..", picture)); err != nil {
			t.Error(err)
		}
	}
}

// What -json writes is what the README is filled from.
func TestWrittenResultsFillAText(t *testing.T) {
	file := filepath.Join(t.TempDir(), "full.json")
	list := []result{
		{Scene: "read", Contender: "tokenactor", Callers: 1, Metric: "ns/op", Unit: "ns", Value: 2, Min: 1, Max: 3, Runs: 5},
		{Scene: "read", Contender: "oauth2", Callers: 1, Metric: "ns/op", Unit: "ns", Value: 90, Min: 80, Max: 99, Runs: 5},
	}
	if err := writeJSON(file, list); err != nil {
		t.Fatal(err)
	}
	numbers, err := recorded(file)
	if err != nil {
		t.Fatal(err)
	}
	const want = "<!-- bench: ratio read oauth2 1 ns/op -->45<!-- /bench -->"
	got, places, err := readme.Fill("<!-- bench: ratio read oauth2 1 ns/op -->44<!-- /bench -->", numbers)
	if got != want || places != 1 || err != nil {
		t.Errorf("got %q, %d places, %v; want %q", got, places, err, want)
	}
}

// recorded gives the numbers of a file that -json wrote.
func recorded(file string) ([]readme.Number, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var list []result
	if err := json.Unmarshal(b, &list); err != nil {
		return nil, err
	}
	var numbers []readme.Number
	for _, r := range list {
		numbers = append(numbers, readme.Number{Scene: r.Scene, Contender: r.Contender, Callers: r.Callers, Metric: r.Metric, Value: r.Value})
	}
	return numbers, nil
}
