//go:build !linux

package persist_test

import "testing"

func evict(b *testing.B, _ string) {
	b.Skip("this system cannot be asked to drop a file's pages")
}
