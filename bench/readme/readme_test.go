package readme

import (
	"strings"
	"testing"
)

var sample = []Number{
	{"read", "tokenactor", 1, "ns/op", 1.8},
	{"read", "tokenactor", 10_000, "ns/op", 0.9},
	{"read", "oauth2", 1, "ns/op", 80.04},
	{"read", "oauth2", 10_000, "ns/op", 160},
	{"read", "limit", 1, "ns/op", 0.34},
	{"read", "tokenactor", 1, "allocs/op", 0},
	{"read", "oauth2", 1, "allocs/op", 2},
}

func TestFill(t *testing.T) {
	for name, c := range map[string]struct{ order, want string }{
		"value":                   {"value read oauth2 1 ns/op", "80.0"},
		"ratio to ours":           {"ratio read oauth2 1 ns/op", "44"},
		"ratio of two":            {"ratio read tokenactor/limit 1 ns/op", "5.29"},
		"ratio without fractions": {"ratio read oauth2 10000 ns/op", "178"},
		"table": {"table read ns/op", "\n| ns/op | 1 | 10,000 |\n|---|---:|---:|\n| tokenactor | 1.80 | 0.90 |\n" +
			"| oauth2 | 80.0 | 160 |\n| limit | 0.34 | – |\n"},
	} {
		t.Run(name, func(t *testing.T) {
			around := func(number string) string {
				return "before <!-- bench: " + c.order + " -->" + number + "<!-- /bench --> after"
			}
			got, places, err := Fill(around("an old number"), sample)
			if err != nil || places != 1 || got != around(c.want) {
				t.Fatalf("got %q, %d places, %v; want %q", got, places, err, around(c.want))
			}
			if again, _, err := Fill(got, sample); err != nil || again != got {
				t.Errorf("filled again: %q, %v; want no change", again, err)
			}
		})
	}
}

func TestFillLeavesTheRest(t *testing.T) {
	text := "# Numbers\n\n<!-- a comment --> 44 times\n"
	if got, places, err := Fill(text, sample); err != nil || places != 0 || got != text {
		t.Errorf("got %q, %d places, %v; want no change", got, places, err)
	}
}

func TestFillSaysWhatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		"<!-- bench: value read oauth2 1 ns/op -->80":                                                   "has no <!-- /bench -->",
		"<!-- bench: value read oauth2 1 ns/op":                                                         "has no <!-- /bench -->",
		"<!-- bench: value read oauth2 1 ns/op -->1<!-- bench: table read ns/op -->2<!-- /bench -->":    "has no <!-- /bench -->",
		"<!-- bench: value read oauth2 ns/op -->80<!-- /bench -->":                                      "want value or ratio",
		"<!-- bench: guess read oauth2 1 ns/op -->80<!-- /bench -->":                                    "want value or ratio",
		"<!-- bench: value read oauth2 one ns/op -->80<!-- /bench -->":                                  `"one" is not a number of callers`,
		"<!-- bench: value read oauth2 2 ns/op -->80<!-- /bench -->":                                    "no ns/op of oauth2 in read with 2",
		"<!-- bench: ratio read limit 10000 ns/op -->80<!-- /bench -->":                                 "no ns/op of limit in read with 10000",
		"<!-- bench: ratio read oauth2/limit 10000 ns/op -->80<!-- /bench -->":                          "no ns/op of limit in read with 10000",
		"<!-- bench: ratio read oauth2 1 allocs/op -->80<!-- /bench -->":                                "the allocs/op of tokenactor is 0",
		"<!-- bench: table crawl ns/op -->80<!-- /bench -->":                                            "no ns/op of crawl",
		"good <!-- bench: value read oauth2 1 ns/op -->1<!-- /bench --> and <!-- bench: table read -->": "has no <!-- /bench -->",
	} {
		if got, _, err := Fill(text, sample); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngot %q, %v; want an error with %q", text, got, err, want)
		}
	}
}
