// Package moving has the code of docs/moving-from-oauth2.md: five programs, each
// before and after. Its tests run what comes after, and hold the page to it.
package moving
