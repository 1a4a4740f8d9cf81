// Package enginetest starts the engines that stores are tested against: real ones,
// each on ports of 127.0.0.1 that the system gives, stopped by process id at the end
// of the test. A missing program skips the test with the reason, and fails it where
// the environment has CI=true.
package enginetest
