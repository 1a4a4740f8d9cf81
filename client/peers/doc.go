// Package peers tests client.Transport with the packages that its users have around it
// and beneath it: azcore, go-retryablehttp, otelhttp and httpcache, each as its own
// users set it up, over HTTP/1.1 and HTTP/2. It is a module of its own, so that
// none of them is a dependency of the library.
package peers
