// Package trouble tries the store of an engine, with managers over it, where engines
// make trouble: a holder that is paused past its lease, an engine that is stopped, killed
// or cut off, many that return at once. It also counts what a refresh costs, and how soon
// a peer's write is known. Each store's tests call it with their engine:
//
//	trouble.Run(t, trouble.Engine{Start: ..., Open: ..., Holder: ...})
package trouble
