package oauth

import (
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenactor/manager"
	"golang.org/x/oauth2"
)

// A token that the manager shows is valid for x/oauth2 too, until at most nine
// tenths of the time left; one of unknown life is not for ever.
func TestAskAt(t *testing.T) {
	now := time.Date(2026, time.March, 1, 0, 0, 0, 0, time.UTC)
	for _, test := range []struct{ left, want time.Duration }{
		{time.Hour, time.Hour},
		{12 * time.Second, 12 * time.Second},
		{11 * time.Second, 19900 * time.Millisecond},
		{5 * time.Second, 14500 * time.Millisecond},
		{time.Second, 10900 * time.Millisecond},
		{0, 0},
		{-time.Minute, -time.Minute},
	} {
		if got := askAt(now.Add(test.left), now).Sub(now); got != test.want {
			t.Errorf("%v left: got %v, want %v", test.left, got, test.want)
		}
	}
	if got := askAt(time.Time{}, now).Sub(now); got != time.Minute {
		t.Errorf("unknown life: got %v, want a minute", got)
	}
}

// The rule of x/oauth2 itself, asked second by second.
func TestAskAtValid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		expiry := time.Now().Add(15 * time.Second)
		for left := 15; left > 0; left-- {
			token := export(&manager.Token{AccessToken: manager.NewSecret("at-1"), Expiry: expiry}, time.Now())
			if !token.Valid() {
				t.Errorf("%d s left: not valid on arrival", left)
			}
			time.Sleep(time.Second)
		}
		kept := export(&manager.Token{AccessToken: manager.NewSecret("at-1"), Expiry: time.Now().Add(10 * time.Second)}, time.Now())
		time.Sleep(9*time.Second + time.Millisecond)
		if kept.Valid() {
			t.Error("valid past nine tenths of the time left")
		}
	})
}

func TestExport(t *testing.T) {
	expiry := time.Date(2026, time.March, 1, 0, 0, 0, 0, time.UTC)
	from := manager.Token{
		AccessToken:  manager.NewSecret("at-1"),
		RefreshToken: manager.NewSecret("rt-1"),
		Type:         "bearer",
		Expiry:       expiry,
		Scope:        "read",
		Extra:        map[string]manager.Secret{"id_token": manager.NewSecret("e.y.J")},
	}
	got := export(&from, expiry.Add(-time.Hour))
	if got.AccessToken != "at-1" || got.Type() != "Bearer" || !got.Expiry.Equal(expiry) {
		t.Errorf("got %q %q %v", got.AccessToken, got.Type(), got.Expiry)
	}
	if got.RefreshToken != "" {
		t.Error("the refresh token is given away: x/oauth2 would spend it")
	}
	if got.Extra("id_token") != "e.y.J" || got.Extra("scope") != "read" || got.Extra("other") != nil {
		t.Errorf("got extras %v, %v, %v", got.Extra("id_token"), got.Extra("scope"), got.Extra("other"))
	}

	// A copy: what is done to it touches nothing.
	*got = oauth2.Token{AccessToken: "changed"}
	if again := export(&from, expiry); again.AccessToken != "at-1" || again.Extra("id_token") != "e.y.J" {
		t.Errorf("got %v after the copy before was changed", again)
	}
}
