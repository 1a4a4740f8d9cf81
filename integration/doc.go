// Package integration has no code, only tests: package oauth, with manager, client and
// persist behind it, against authorization servers that others wrote.
//
//	npm oidc-provider   a certified OpenID provider, run with node (folder oidc)
//	zitadel/oidc        in process, with the storage of its own example
//	ory/fosite          in process, with the memory store of its own
//
// Beside them are the printers of testify, which must not show a token.
//
// Every grant is tried with each server that knows it; a table at the end of the log
// says which ran, and why others did not. Run it with
//
//	npm ci --prefix integration/oidc
//	go -C integration test -v .
//
// Without node 22, or a late 20, or without that npm ci, what needs oidc-provider is
// skipped with the reason; where the environment says CI=true it fails instead. The
// crowds run for ten seconds, with CI=true or -crowd=1m for a minute.
//
// These tests are about real servers, so they take real time: they wait for events,
// with limits that only a hung machine reaches.
package integration
