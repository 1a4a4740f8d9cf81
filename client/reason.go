package client

import (
	"context"
	"errors"
	"net/http"
)

// Why a request that was rejected was not sent again, for errors.Is with Reason.
var (
	// ErrBody: its body cannot be sent twice, see "What is sent again".
	ErrBody = errors.New("client: the request was not sent again: its body cannot be sent twice")

	// ErrReplays: it was, MaxReplays times, and rejected each time; or MaxReplays is negative.
	ErrReplays = errors.New("client: the request was not sent once more: MaxReplays is reached")

	// ErrOtherLogin: somebody else has logged in since (Forget and Install). The
	// request was that of the login before, and is not carried out as the new one.
	ErrOtherLogin = errors.New("client: the request was not sent again: it belongs to the login before")
)

type reasonKey struct{}

// Reason returns why a Transport gave back a response that rejects its token: the error of
// the renewal that failed, such as a *manager.RefreshError; one that matches
// manager.ErrStillRejected where the token is not at fault, as far as other resources tell; or ErrBody,
// ErrReplays, ErrOtherLogin. It is nil for any other response. It is found through the
// context of resp.Request, so that a wrapper that replaces that loses it.
func Reason(resp *http.Response) error {
	if resp == nil || resp.Request == nil {
		return nil
	}
	err, _ := resp.Request.Context().Value(reasonKey{}).(error)
	return err
}

// because gives resp back to the caller with the reason why.
func because(resp *http.Response, req *http.Request, reason error) *http.Response {
	resp.Request = req.WithContext(context.WithValue(req.Context(), reasonKey{}, reason))
	return resp
}
