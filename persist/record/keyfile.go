package record

import (
	"fmt"
	"io"
	"os"
	"runtime"
)

// KeyFromFile reads a key from a file: 32 bytes as they are, or a line of
// hexadecimal or base64. Such a line is made by
//
//	(umask 077 && head -c 32 /dev/urandom | base64 > tokens.key)
//
// The file must be closed to other users: mode 0600 or 0400. (Secrets that
// Kubernetes mounts have mode 0644 unless defaultMode says 0400.) The error names
// the file and never what is in it. Windows has no such modes: nothing is checked.
func KeyFromFile(path string) (Key, error) {
	// Not by the open file alone: to open a pipe would wait for its writer.
	if info, err := os.Stat(path); err != nil {
		return Key{}, fmt.Errorf("record: cannot read the key: %w", err)
	} else if !info.Mode().IsRegular() {
		return Key{}, fmt.Errorf("record: cannot read the key: %s is no regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return Key{}, fmt.Errorf("record: cannot read the key: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Key{}, fmt.Errorf("record: cannot read the key: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" {
		return Key{}, fmt.Errorf("record: the key in %s may be read or written by other users, its mode is %#o: "+
			"chmod 600 it, and make another key if one of them may have read it", path, mode)
	}
	const longest = 1 << 10 // a key in hexadecimal and some space
	data, err := io.ReadAll(io.LimitReader(f, longest+1))
	if err != nil {
		return Key{}, fmt.Errorf("record: cannot read the key: %w", err)
	}
	if len(data) > longest {
		return Key{}, fmt.Errorf("record: %s holds no key: it is longer than %d bytes", path, longest)
	}
	parse := func() (Key, error) { return ParseKey(string(data)) }
	if len(data) == KeySize {
		parse = func() (Key, error) { return NewKey(data) }
	}
	k, err := parse()
	if err != nil {
		return Key{}, fmt.Errorf("%w (in %s)", err, path)
	}
	return k, nil
}

// KeyFromEnv reads a key in hexadecimal or base64 from an environment variable.
// The error names the variable and never its value. Prefer a file where there is
// one: the environment is inherited by every process that the program starts, and
// shown by some crash reports.
func KeyFromEnv(variable string) (Key, error) {
	text, ok := os.LookupEnv(variable)
	if !ok || text == "" {
		return Key{}, fmt.Errorf("record: the environment variable %s is not set: give it a key, as of: head -c 32 /dev/urandom | base64", variable)
	}
	k, err := ParseKey(text)
	if err != nil {
		return Key{}, fmt.Errorf("%w (in the environment variable %s)", err, variable)
	}
	return k, nil
}
