package moving

import (
	"context"

	"golang.org/x/oauth2/jwt"
	"google.golang.org/api/drive/v3"
	"google.golang.org/api/option"

	"example.com/tokenactor/client"
	"example.com/tokenactor/manager"
	"example.com/tokenactor/oauth"
)

func googleAPIBefore(ctx context.Context, cfg jwt.Config) (*drive.Service, error) {
	// page: begin
	service, err := drive.NewService(ctx, option.WithTokenSource(cfg.TokenSource(ctx)))
	// page: end
	return service, err
}

func googleAPIAfter(ctx context.Context, robot *manager.Credential) (*drive.Service, error) {
	// page: begin
	service, err := drive.NewService(ctx, option.WithHTTPClient(client.New(robot)))
	// page: end
	return service, err
}

func googleAPIBridge(ctx context.Context, robot *manager.Credential) (*drive.Service, error) {
	// page: begin
	service, err := drive.NewService(ctx, option.WithTokenSource(oauth.TokenSource(ctx, robot)))
	// page: end
	return service, err
}
