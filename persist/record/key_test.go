package record_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"example.com/tokenactor/persist/record"
)

func TestParseKey(t *testing.T) {
	raw := sha256.Sum256([]byte{1})
	want := testKey(1).Reveal()
	for _, text := range []string{
		hex.EncodeToString(raw[:]), strings.ToUpper(hex.EncodeToString(raw[:])),
		base64.StdEncoding.EncodeToString(raw[:]), base64.RawStdEncoding.EncodeToString(raw[:]),
		base64.URLEncoding.EncodeToString(raw[:]), base64.RawURLEncoding.EncodeToString(raw[:]),
		want, " " + want + "\r\n",
	} {
		if got, err := record.ParseKey(text); err != nil || got.Reveal() != want {
			t.Errorf("ParseKey(%q) = %q, %v, want %q", text, got.Reveal(), err, want)
		}
	}
	const secret = "correct horse battery staple, 32"
	for _, text := range []string{
		"", secret, want[:40], want + want, hex.EncodeToString(raw[:31]), strings.Repeat("0", 64), "[secret]",
		hex.EncodeToString([]byte(secret)), base64.StdEncoding.EncodeToString([]byte(secret)), want[:20] + "*" + want[21:],
	} {
		k, err := record.ParseKey(text)
		if err == nil || !k.IsZero() {
			t.Errorf("ParseKey(%q) = %v, want an error", text, k)
			continue
		}
		if !strings.HasPrefix(err.Error(), "record: ") || len(text) > 3 && strings.Contains(err.Error(), text[:4]) {
			t.Errorf("ParseKey(%q): error %v, want one of record that does not show the text", text, err)
		}
	}
	if a, b := record.RandomKey(), record.RandomKey(); a.Reveal() == b.Reveal() || a.ID() == b.ID() {
		t.Errorf("two random keys are equal: %v, %v", a, b)
	}
}

// A key goes into a configuration, and does not come out of it.
func TestKeyInConfiguration(t *testing.T) {
	var c struct{ Key record.Key }
	if err := json.Unmarshal(fmt.Appendf(nil, `{"Key":%q}`, testKey(1).Reveal()), &c); err != nil || c.Key.ID() != testKey(1).ID() {
		t.Fatalf("%v, %v, want %v", c, err, testKey(1))
	}
	text, err := json.Marshal(c)
	if err != nil || strings.Contains(string(text), testKey(1).Reveal()) {
		t.Errorf("json: %s, %v, want no key", text, err)
	}
	if err := json.Unmarshal(text, &c); err == nil {
		t.Errorf("%s read back: no error", text)
	}
}

func TestKeyFromFile(t *testing.T) {
	raw := sha256.Sum256([]byte{1})
	text := testKey(1).Reveal()
	folder := t.TempDir()
	path := filepath.Join(folder, "tokens.key")
	put := func(content string, mode fs.FileMode) {
		t.Helper()
		os.Remove(path)
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, content := range []string{string(raw[:]), text, text + "\n", hex.EncodeToString(raw[:]) + "\n"} {
		for _, mode := range []fs.FileMode{0o600, 0o400} {
			put(content, mode)
			if k, err := record.KeyFromFile(path); err != nil || k.Reveal() != text {
				t.Errorf("%q: %v, %v, want %v", content, k, err, testKey(1))
			}
		}
	}
	wantError := func(what, hint string) {
		t.Helper()
		k, err := record.KeyFromFile(path)
		if err == nil || !k.IsZero() || !strings.HasPrefix(err.Error(), "record: ") || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), hint) {
			t.Errorf("%s: %v, %v, want an error with %s and %q", what, k, err, path, hint)
		}
		if err != nil && (strings.Contains(err.Error(), text[:8]) || strings.Contains(err.Error(), string(raw[:8]))) {
			t.Errorf("%s: the error shows the key: %v", what, err)
		}
	}
	put(text+"!", 0o600)
	wantError("a strange character", "base64")
	put("", 0o600)
	wantError("an empty file", "32")
	put(string(raw[:])+"\n", 0o600)
	wantError("33 bytes", "32")
	put("0123456789abcdef0123456789abcdef", 0o600)
	wantError("16 bytes in hexadecimal", "random")
	put(strings.Repeat(text+"\n", 100), 0o600)
	wantError("a long file", "longer")
	os.Remove(path)
	if _, err := record.KeyFromFile(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v, want fs.ErrNotExist", err)
	}
	wantError("no file", "")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	wantError("a folder", "regular")
	os.Remove(path)
	if runtime.GOOS != "windows" {
		for _, mode := range []fs.FileMode{0o640, 0o604, 0o602, 0o644} {
			put(text, mode)
			wantError(fmt.Sprint(mode), "chmod 600")
			wantError(fmt.Sprint(mode), fmt.Sprintf("%#o", mode))
		}
	}
}

func TestKeyFromEnv(t *testing.T) {
	const variable = "TOKENACTOR_TEST_KEY"
	text := testKey(1).Reveal()
	t.Setenv(variable, text)
	if k, err := record.KeyFromEnv(variable); err != nil || k.Reveal() != text {
		t.Errorf("%v, %v, want %v", k, err, testKey(1))
	}
	for _, value := range []string{"", text[:42], text + "garbage"} {
		t.Setenv(variable, value)
		k, err := record.KeyFromEnv(variable)
		if err == nil || !k.IsZero() || !strings.Contains(err.Error(), variable) || strings.Contains(err.Error(), text[:8]) {
			t.Errorf("value %q: %v, %v, want an error that names the variable and not its value", value, k, err)
		}
	}
}
