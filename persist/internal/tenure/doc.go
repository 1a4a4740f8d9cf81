// Package tenure holds leases that end by themselves, for the stores whose engine
// is a server: it takes, renews, waits for and gives up; the engine only compares.
//
// One goroutine renews all leases of a Keeper, in one round trip each third of
// their life, and only while there are any. Time is counted from before a request
// was sent, by the clock that ran faster of the two that a machine has, since one
// of them stands still while it sleeps; and a twentieth of the life is left unused,
// for an engine whose clock runs faster than ours.
package tenure
