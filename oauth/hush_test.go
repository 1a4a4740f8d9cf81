package oauth

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// Whatever a server says, what an error keeps of it is one short line of valid
// text and has no piece of the secret as long as quoted in it.
func FuzzHush(f *testing.F) {
	f.Add("the token rt-0123456789abcdef is spent", "rt-0123456789abcdef")
	f.Add("rt-0123456789", "rt-0123456789abcdef")
	f.Add("a\r\nb\x1b[0m\xff", "key")
	f.Add(strings.Repeat("é", 200), "secret")
	f.Fuzz(func(t *testing.T, text, secret string) {
		got := hush{secret}.clean(text)
		if len(got) > maxText || !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%q: got %q, want one short printable line", text, got)
		}
		for i := 0; len(secret) >= short && i+min(len(secret), quoted) <= len(secret); i++ {
			if piece := secret[i : i+min(len(secret), quoted)]; strings.Contains(got, piece) {
				t.Errorf("%q: got %q, which repeats %q", text, got, piece)
			}
		}
	})
}

// What the cut divides is compared whole: neither at the end of what is shown, nor of
// what is looked at, is there the begin of a secret.
func TestCleanComparesBeforeTheCut(t *testing.T) {
	for _, secret := range []string{"hunter2!", "key4", "rt-0123456789abcdef", "two words 1"} {
		for _, filler := range []string{"x", " ", "\x00", "é", "- "} {
			for _, end := range []int{maxText, maxSeen} {
				for n := range 2 * len(secret) {
					text := strings.Repeat(filler, end/len(filler))
					text = text[:max(0, len(text)-n)] + secret + strings.Repeat("y", n)
					if got := (hush{secret}).clean(text); strings.ContainsAny(got, secret[:1]) {
						t.Errorf("%q behind %d bytes of %q: got %q", secret, len(text)-len(secret)-n, filler, got)
					}
				}
			}
		}
	}
}
