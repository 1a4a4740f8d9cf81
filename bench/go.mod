module example.com/tokenactor/bench

go 1.26.0

require (
	example.com/tokenactor v0.0.0
	github.com/aws/aws-sdk-go-v2 v1.47.7
	go.uber.org/goleak v1.3.0
	golang.org/x/oauth2 v0.37.0
	golang.org/x/sync v0.24.0
)

require (
	github.com/aws/smithy-go v1.28.8 // indirect
	github.com/benbjohnson/clock v1.3.5 // indirect
)

replace example.com/tokenactor => ..
